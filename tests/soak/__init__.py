"""`make soak`: mixed load for half an hour, and nothing that the product holds may grow."""
