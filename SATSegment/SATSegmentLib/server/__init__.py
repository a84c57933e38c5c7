"""`satsegment serve`: the engine for several users over HTTP. FastAPI in front, one child process per device behind."""
