"""Proposes a proven answer, or says why there is none."""
