"""Furniture of the HTTP door: envelope, guards, paging, documentation pages."""
