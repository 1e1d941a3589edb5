"""Built-in scorers, one a file."""
