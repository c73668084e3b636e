"""`moorings sql`: an interactive shell for one connection at a time."""
