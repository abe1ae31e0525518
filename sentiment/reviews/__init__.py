"""Review tables of any size: checking, de-duplicating, drawing and sorting them, and finding what leaks."""
