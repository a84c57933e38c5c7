"""Where voxels are: affines, grids, boxes, and the way from one grid to another. NumPy only."""
