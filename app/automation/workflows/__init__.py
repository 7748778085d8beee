"""Workflow definitions: the pure graph, and its keeping."""
