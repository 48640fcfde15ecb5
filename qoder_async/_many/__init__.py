"""What `fan_out` and `history` are made of: deployments, orders, windows of time."""
