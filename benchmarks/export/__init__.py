"""What it takes to export whole run histories, and to keep a file of them up to date."""
