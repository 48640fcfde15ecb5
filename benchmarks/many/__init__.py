"""What it takes to go through very many deployments, and through one very long history."""
