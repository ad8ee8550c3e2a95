"""Forms out of the fields of commands, and commands out of what was filled in."""
