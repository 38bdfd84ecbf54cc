"""Training of the shipped models: `python -m services.lib.language.train --data DIR --out DIR` (extra `train`)."""
