"""Long and heavy use of one client, and whether anything grows by it."""
