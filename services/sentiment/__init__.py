"""Scores the sentiment of one message."""
