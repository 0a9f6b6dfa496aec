"""Samples of training: crops, transforms, pseudo-fakes, degradations, stores and the sampler."""
