"""Reproducible measurements of the analyzers."""
