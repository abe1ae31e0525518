"""What every other package rests on: files, errors, schemas, labels, and how a command runs."""
