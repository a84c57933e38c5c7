"""Training data: records, standardisation, splits, sampling, augmentation."""
