"""Comparison of two groups of LLM calls: models, prompt versions, releases, variants of an experiment."""
