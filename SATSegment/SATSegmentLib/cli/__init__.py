"""`satsegment`: SATSegment from a terminal. One module per command in this folder."""

try:
    from SATSegmentLib.cli.main import main
except KeyboardInterrupt:
    # Ctrl-C while this is still being imported ends as `main` ends it.
    raise SystemExit(1) from None

__all__ = ["main"]
