"""The CVPR 2025 challenge's models and cases: a family of its own, prepared and prompted in its own way."""
