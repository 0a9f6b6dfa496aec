"""Networks with their losses, one folder per method, and artifacts."""
