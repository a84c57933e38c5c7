"""How messages get to an engine and back."""
