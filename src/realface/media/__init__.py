"""Pictures and videos in and out; no torch."""
