"""How good a classifier is: scores, metrics by slice, behavioural checks, and the baseline beside it."""
