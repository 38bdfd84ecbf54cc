"""On-device language: encoders, screening, language identification, masking."""
