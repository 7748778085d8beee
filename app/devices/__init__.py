"""Devices and groups, and the plain host records the engine rooms work with."""
