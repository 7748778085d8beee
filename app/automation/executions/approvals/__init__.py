"""Approvals: an execution asks before it goes on, and waits for an answer."""
