"""The contract between Baton's services: importable, no I/O, imports no service."""
