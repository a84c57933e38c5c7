"""Slicer's nodes and arrays: volumes in, segments out. Runs in Slicer and with its libraries alone (slicer-core)."""
