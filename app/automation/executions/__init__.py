"""One execution of a workflow: engine, records, events."""
