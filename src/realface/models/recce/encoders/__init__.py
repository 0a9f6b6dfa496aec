"""The encoders that RECCE can be built on."""
