"""Training, and retraining for a candidate."""
