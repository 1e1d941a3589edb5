"""Results in, messages out."""
