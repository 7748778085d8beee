"""The other ways in which an execution starts: a single node, a webhook, an event, a schedule's due time."""
