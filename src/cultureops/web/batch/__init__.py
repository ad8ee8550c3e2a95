"""One batch as its pages show it."""
