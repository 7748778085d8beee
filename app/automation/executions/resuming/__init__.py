"""Resuming: what waits in a node for somebody goes on when it is told to, with the data that it is given."""
