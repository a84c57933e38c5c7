"""A text to prompts, or to a question; never a silent guess."""
