"""How things are shown: on a terminal, in a pipe and as JSON."""
