"""What to do: node types as typed functions, and the sessions they work through."""
