"""Commands for the metadata database as a whole: copy, back up, restore."""
