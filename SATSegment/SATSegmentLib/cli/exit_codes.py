"""The exit codes of all commands, and what each means where a command says nothing else."""

from __future__ import annotations

from collections.abc import Mapping

DONE = 0
CANCELLED = 1
ERROR = 2
BUG = 3
# All was written beyond here, but somebody should look.
# Structures that the model does not know were left out.
UNKNOWN_STRUCTURES = 4
# A result is implausible, and --strict was given.
FLAGGED = 5
# A scan of a cohort has no results; its row says why.
SOME_FAILED = 6

# Of every command; each says for itself what else it may end with. AGENTS.md lists all of them.
OF_ALL: Mapping[int, str] = {
    DONE: "done",
    CANCELLED: "cancelled; nothing was written",
    ERROR: "error; the message says what to do",
    BUG: "a bug in SATSegment; please report it",
}
