"""The door between Slicer and the network: a child process that keeps the model warm, and talks in lines of JSON."""
