"""What the product costs, measured beside what one would use without it: one command, one table."""
