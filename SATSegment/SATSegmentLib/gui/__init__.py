"""What people touch: the parts of SATSegment's panel. Needs Slicer's `qt`, `ctk` and `slicer`; never torch."""
