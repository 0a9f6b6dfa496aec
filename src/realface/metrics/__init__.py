"""Numbers from score tables; no torch."""
