"""`satsegment`: SATSegment from a terminal. One module per command in this folder."""

from SATSegmentLib.cli.main import main

__all__ = ["main"]
