"""`hushmill demo`: a local network, two people, messages both ways, and what an observer learns."""
