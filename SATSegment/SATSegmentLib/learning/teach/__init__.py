"""A new word from one example."""
