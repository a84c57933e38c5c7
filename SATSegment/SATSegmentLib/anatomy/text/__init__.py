"""Typed text to words: spelling, sides, numbers and slips."""
