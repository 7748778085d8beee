"""The demo: a network of simulated devices, and the tour of the product that `make demo` gives on it."""
