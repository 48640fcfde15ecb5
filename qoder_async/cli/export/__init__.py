"""``runs export`` and ``runs sync``."""
