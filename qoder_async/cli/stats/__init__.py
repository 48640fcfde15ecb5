"""``runs stats``."""
