"""The trained classifier: its architecture, loading it, the logits it gives, and its card."""
