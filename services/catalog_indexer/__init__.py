"""Reads the shop into the search index."""
