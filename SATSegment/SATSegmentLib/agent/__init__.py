"""`satsegment mcp`: what a program that talks (an MCP client) may do with scans, as typed tools and nothing else."""
