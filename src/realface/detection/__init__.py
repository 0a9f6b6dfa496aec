"""A file into a verdict."""
