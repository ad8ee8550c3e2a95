"""One chamber as its pages show it: curves, marks, instruments, readings."""
