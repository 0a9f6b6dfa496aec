"""Benchmarks: measure how fast Realface runs on this machine."""
