"""From a question to a proven answer: understand, retrieve, facts, compose, verify, confidence."""
