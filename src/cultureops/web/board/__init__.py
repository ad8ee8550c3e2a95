"""Everything at a glance: the board, what is due, what a scan leads to."""
