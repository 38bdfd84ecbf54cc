"""Decides every turn and owns the handoff."""
