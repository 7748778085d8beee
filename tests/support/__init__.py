"""What the tests stand on: servers, a database of their own, callers with permissions, a served application."""
