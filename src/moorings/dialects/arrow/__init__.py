"""Columns of Arrow, made of what drivers answer."""
