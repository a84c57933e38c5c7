"""What must be there before a run: Python packages and weights. Nothing here imports torch."""
