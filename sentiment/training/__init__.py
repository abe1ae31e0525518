"""Fine-tuning: building the classifier, batches, checkpoints, averaging, calibration."""
