"""Hostile input for the ingest path: bodies, HTTP and gRPC connections, each reproducible from a seed and a number."""
