"""Equipment, lots, recipes and the site file: what is known of them, and what waits to be signed."""
