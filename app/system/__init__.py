"""Health, queues and workers, and the audit trail."""
