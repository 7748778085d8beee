"""`make chaos`: parts of the product die at random moments of configuration pushes, and the devices count."""
