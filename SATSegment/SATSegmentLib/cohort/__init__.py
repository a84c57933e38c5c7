"""Many scans to masks, one table and one page: found, shared out, run, kept whole or not at all, collected."""
