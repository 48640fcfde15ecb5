"""Whole run histories in files."""
