"""Data tables: those that areas declare to nodes, and those that users make."""
