"""Named, seeded degradations with five levels each, for training and for measuring robustness; free of torch."""
