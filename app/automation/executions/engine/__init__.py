"""The engine: works on one claimed shard of an execution, device by device or once."""
