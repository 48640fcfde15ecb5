"""Runs as rows and columns, and files made of them."""
