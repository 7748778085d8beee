"""The commands, a file for each word that follows `opsconductor`."""
