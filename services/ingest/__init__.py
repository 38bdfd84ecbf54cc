"""Accepts what gateways publish: validates, dedupes, masks, screens, gives positions."""
