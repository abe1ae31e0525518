"""Scoring files: which goes where, what is added to them, and what their labels say about the scores."""
