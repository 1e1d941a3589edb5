"""Measurements of texts that are no risk: `span.*` numbers."""
