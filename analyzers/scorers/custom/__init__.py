"""Scorers that the configuration describes: a function, a pattern, an endpoint, a model, a judge."""
