"""Comparing two runs of the pipeline, review by review."""
