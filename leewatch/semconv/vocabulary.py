"""Words and shapes of the attribute families besides single keys: flattened lists, prefixes, providers, reasons, roles."""

from __future__ import annotations

from collections.abc import Mapping

INDEXED: Mapping[str, tuple[str, str]] = {
    "llm.input_messages": ("input", "openinference"),
    "llm.output_messages": ("output", "openinference"),
    "gen_ai.prompt": ("input", "openllmetry"),
    "gen_ai.completion": ("output", "openllmetry"),
    "llm.prompts": ("input", "openllmetry"),
    "llm.completions": ("output", "openllmetry"),
    "llm.choices": ("output", "openinference"),
    "embedding.embeddings": ("embedding", "openinference"),
    "retrieval.documents": ("documents", "openinference"),
    "reranker.output_documents": ("documents", "openinference"),
    "llm.tools": ("tools", "openinference"),
    "llm.request.functions": ("tools", "openllmetry"),
}
"""Lists flattened into `prefix.N.rest`: prefix -> (what it lists, family). The earlier prefix wins."""

METADATA_PREFIXES = (
    "traceloop.association.properties",
    "langfuse.observation.metadata",
    "langfuse.trace.metadata",
    "langfuse.metadata",
    "ai.telemetry.metadata",
    "ai.settings.context",
    "ai.settings.runtimeContext",
)
"""`prefix.K` becomes metadata K, unless the key fills a field of its own."""

REFERENCES = (
    "gen_ai.input.messages_ref", "gen_ai.output.messages_ref", "gen_ai.system_instructions_ref", "gen_ai.tool.definitions_ref",
    "gen_ai.input.messages.ref", "gen_ai.output.messages.ref", "gen_ai.system_instructions.ref", "gen_ai.tool.definitions.ref",
)  # fmt: skip
"""URIs of content that was uploaded elsewhere: kept as metadata, the content stays empty."""

FIRST_CHUNK_EVENTS = ("llm.content.completion.chunk", "gen_ai.content.completion.chunk", "ai.stream.firstChunk")
"""Span events whose first occurrence is the first token."""

PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "openai": (), "anthropic": (), "cohere": (), "deepseek": (), "groq": (), "perplexity": (),
    "x_ai": ("xai",),
    "mistral_ai": ("mistral", "mistralai"),
    "moonshot_ai": ("moonshot",),
    "azure.ai.openai": ("az.ai.openai", "azure", "azure-openai", "azure.openai", "azure_openai"),
    "azure.ai.inference": ("az.ai.inference", "azure.ai"),
    "gcp.vertex_ai": ("vertex_ai", "vertexai", "google_vertexai", "google.vertex", "google.vertex.chat"),
    "gcp.gemini": ("gemini", "google_ai_studio", "google.generative-ai"),
    "gcp.gen_ai": ("google",),
    "aws.bedrock": ("aws", "bedrock", "amazon-bedrock"),
    "ibm.watsonx.ai": ("watsonx", "ibm.watson.ai"),
    "together_ai": ("together",),
    "hugging_face": ("huggingface",),
}  # fmt: skip
"""Canonical provider -> other spellings, lower case."""

PROVIDER_PREFIXES = {"google.vertex": "gcp.vertex_ai", "google.generative-ai": "gcp.gemini"}
"""Spellings that go on after this."""

FRAMEWORKS = (
    "langchain", "langgraph", "crewai", "llama_index", "llamaindex", "litellm", "haystack", "autogen", "semantic_kernel",
    "pydantic_ai", "dspy", "smolagents", "openai_agents", "agno", "strands",
)  # fmt: skip
"""Named as provider only when nothing better is."""

FINISH_REASONS: Mapping[str, str] = {
    "tool_calls": "tool_call", "tool_use": "tool_call", "tool-calls": "tool_call", "function_call": "tool_call",
    "max_tokens": "length", "end_turn": "stop", "content-filter": "content_filter",
}  # fmt: skip

ROLES: Mapping[str, str] = {
    "human": "user", "ai": "assistant", "model": "assistant", "bot": "assistant", "function": "tool",
}  # fmt: skip
