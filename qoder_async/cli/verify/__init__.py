"""``runs verify``."""
