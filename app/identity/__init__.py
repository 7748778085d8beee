"""Users, roles and sessions: who may come in, and what he may do."""
