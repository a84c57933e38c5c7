"""The self test: what runs inside a real Slicer, with Slicer's own widgets, and in the test rig alike."""
