"""Lists of deployments and runs, one or many at once."""
