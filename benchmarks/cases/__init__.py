"""The cases, by their names."""
