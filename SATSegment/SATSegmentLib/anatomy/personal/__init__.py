"""What users keep for themselves: sets, history and taught words."""
