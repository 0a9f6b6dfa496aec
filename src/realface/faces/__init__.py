"""Finding, tracking and cropping faces."""
