"""Which kind of LLM span it is, as data: the first rule that yields a value decides."""

# ruff: noqa: E501 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KindRule:
    """`source` (a field of the mapping, lower-cased) with one of these values means that kind."""

    source: str
    kinds: Mapping[str, str]


KIND_RULES: tuple[KindRule, ...] = (
    KindRule(
        "langfuse_kind",
        {
            "generation": "llm", "embedding": "embedding", "agent": "agent", "tool": "tool", "chain": "chain",
            "retriever": "retriever", "guardrail": "guardrail", "evaluator": "evaluator",
        },
    ),
    KindRule(
        "openinference_kind",
        {
            "llm": "llm", "embedding": "embedding", "retriever": "retriever", "reranker": "reranker", "tool": "tool",
            "agent": "agent", "chain": "chain", "guardrail": "guardrail", "evaluator": "evaluator", "prompt": "chain",
        },
    ),
    KindRule(
        "genai_operation",
        {
            "chat": "llm", "text_completion": "llm", "generate_content": "llm", "completion": "llm", "generate": "llm",
            "embeddings": "embedding", "retrieval": "retriever", "rerank": "reranker", "vector_db_retrieve": "retriever", "execute_tool": "tool",
            "create_agent": "agent", "invoke_agent": "agent", "plan": "agent", "invoke_workflow": "chain", "execute_task": "chain",
        },
    ),
    KindRule("traceloop_kind", {"workflow": "chain", "task": "chain", "agent": "agent", "tool": "tool"}),
    KindRule("request_type", {"chat": "llm", "completion": "llm", "embedding": "embedding", "rerank": "reranker"}),
)  # fmt: skip

LANGFUSE_LLM_KEYS = (
    "langfuse.observation.model.name",
    "langfuse.observation.usage_details",
    "langfuse.observation.cost_details",
    "langfuse.observation.completion_start_time",
)
"""Old SDKs marked generations as `span`; any of these keys tells."""

VECTOR_DATABASES = ("chroma", "chromadb", "pinecone", "qdrant", "weaviate", "milvus", "marqo", "lancedb", "astra")
VECTOR_READS = ("query", "search", "get", "fetch", "peek", "select", "knn_search")
VECTOR_OPERATIONS = ("vectordb", "vector_db_retrieve")
AGGREGATE_KINDS = ("agent", "chain")
"""Spans of these kinds repeat the usage of their children."""
