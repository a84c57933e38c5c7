"""Training and fine-tuning the segmentation network."""
