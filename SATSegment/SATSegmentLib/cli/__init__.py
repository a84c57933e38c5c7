"""`satsegment`: SATSegment from a terminal. One module per command in this folder."""

import sys

try:
    from SATSegmentLib.cli.main import main
except KeyboardInterrupt:
    # Ctrl-C while this is still being imported ends as `main` ends it.
    print("satsegment: cancelled; nothing was written.", file=sys.stderr)
    raise SystemExit(1) from None

__all__ = ["main"]
