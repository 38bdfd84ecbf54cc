"""Prepares the brief an agent gets with a handoff."""
