"""A recipe into an artifact."""
