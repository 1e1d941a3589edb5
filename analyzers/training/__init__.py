"""Rebuilds every shipped weight from labelled files."""
