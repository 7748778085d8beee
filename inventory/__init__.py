"""Which hosts: records from any source become a Nornir inventory."""
