"""The pages that a service shows in a browser, their styles, and the API console."""
