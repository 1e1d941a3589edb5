"""Attribute dialects as data, and the SQL generated from it."""
