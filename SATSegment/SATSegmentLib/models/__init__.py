"""The models on this machine: which are known, what a folder holds, how it gets there."""
