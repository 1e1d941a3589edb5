"""OTLP in, durable, to the database."""
