"""A file of runs, compared with the service."""
