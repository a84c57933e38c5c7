"""What a radiology report mentions, and how certain it is."""
