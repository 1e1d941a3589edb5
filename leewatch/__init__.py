"""LLM observability and drift monitoring. Only this package is public API."""
