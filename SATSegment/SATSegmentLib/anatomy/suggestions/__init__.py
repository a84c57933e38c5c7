"""Suggestions while a person types, the likeliest first."""
