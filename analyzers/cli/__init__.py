"""Offline commands: score and drift on files."""
