# Packing is Slicer's own affair; the install rules are what the test looks at.
