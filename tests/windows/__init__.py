"""Linux, as far as it can resemble Windows: a Python that has WINDOWS on its path starts with sitecustomize.py."""

from pathlib import Path

WINDOWS = Path(__file__).parent
