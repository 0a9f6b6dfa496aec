"""The demo: a generated sample study and the whole pipeline on it, stage by stage."""
