"""The benches: every module here has ``measure() -> list[Figure]``, and its docstring names its peer."""
