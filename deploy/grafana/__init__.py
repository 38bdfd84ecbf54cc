"""The dashboard of the line."""
