"""Names in other languages than English: what a text says in each, as English, and how a label is shown in one."""
