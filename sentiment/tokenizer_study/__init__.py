"""Comparing tokenizers on the same reviews."""
