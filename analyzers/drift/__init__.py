"""Drift statistics, one a file."""
