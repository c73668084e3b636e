"""What a running service shows in a browser: its pages, their styles, and the viewer of the API document."""
