"""The `leewatch` command."""
