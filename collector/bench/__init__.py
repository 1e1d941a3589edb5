"""Reproducible load for the ingest path."""
