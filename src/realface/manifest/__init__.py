"""The manifest of face crops: its schema, file formats, checks, leaks and splits."""
