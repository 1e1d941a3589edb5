"""Fakes for the tests of Leewatch and of its plugins."""
