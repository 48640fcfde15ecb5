"""Files of runs, read again."""
