"""Parsers for Ciena SAOS switches: one module per command."""
