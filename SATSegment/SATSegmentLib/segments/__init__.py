"""What a mask becomes as a segment: its id, colour and codes, and the labelmap layers it shares with others."""
