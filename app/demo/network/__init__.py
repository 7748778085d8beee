"""A network of simulated devices that speak real SSH on loopback, for the demo, tests and benchmarks."""
