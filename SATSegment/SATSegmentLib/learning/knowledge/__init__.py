"""The text encoder learns the anatomy tree by contrast."""
