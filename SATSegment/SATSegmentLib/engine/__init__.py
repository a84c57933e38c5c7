"""One request, one interface: an engine answers it in this process, in a child process, or on a server."""
