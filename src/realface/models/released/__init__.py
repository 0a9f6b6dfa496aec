"""Checkpoints that authors released, made into artifacts: one file per method."""
