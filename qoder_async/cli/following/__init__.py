"""Triggering runs, waiting for them and watching them."""
