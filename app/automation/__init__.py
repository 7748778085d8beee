"""Workflows and what runs them."""
