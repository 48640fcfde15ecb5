"""What it costs to wait for runs, and how late their ends are noticed."""
