"""Scheduled: reads windows, writes scores, embeddings and drift results."""
