"""Measurements of the pipeline: each module writes its figures as JSON beside it."""

from sentiment.core.openmp import wait_briefly

# Modules import torch at their top, so it must be said before any of them is loaded.
wait_briefly()
