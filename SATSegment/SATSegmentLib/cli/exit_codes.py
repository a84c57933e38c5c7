"""Exit codes beyond 0 (done), 1 (cancelled) and 2 (error): all was written, but somebody should look."""

# Structures that the model does not know were left out.
UNKNOWN_STRUCTURES = 4
# A result is implausible, and --strict was given.
FLAGGED = 5
# A scan of a cohort has no results; its row says why.
SOME_FAILED = 6
