"""Between bytes and models: cursors, queries, headers, errors; no I/O."""
