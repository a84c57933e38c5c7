"""What can be segmented and what it is called: trained labels, the knowledge tree, names and presets."""
