"""The sample study: short videos with real manipulations, made from two public-domain portraits."""
