"""A SQLite file that is kept up to date."""
