"""The attribute mapping as one table of data: which keys of which family fill which field, in which order.

A key is an attribute of the span. Two other forms stand for values inside something:

    llm.invocation_parameters:temperature    member `temperature` of the JSON object in that attribute
    gen_ai.content.prompt/gen_ai.prompt      attribute `gen_ai.prompt` of the span event `gen_ai.content.prompt`

Families are listed in the order in which they win; inside a family the first key wins. An empty value ('', [] or {}) never
wins; 0 and false do. `docs/reference/attributes.md` is generated from this table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from leewatch.semconv.vocabulary import METADATA_PREFIXES

FAMILIES = ("langfuse", "genai", "openinference", "openllmetry", "aisdk", "logfire", "openlit", "leewatch")
"""Attribute families in the order in which they win, for every field but messages."""

Type = Literal["string", "json", "uint", "int", "float", "bool", "list"]


@dataclass(frozen=True, slots=True)
class Field:
    """One normalized field.

    keys: family -> keys in order. type: how the text is read; a value that cannot be read so is NULL.
    resource_first: a resource attribute beats one of the span. order: families in another order than FAMILIES.
    """

    name: str
    type: Type
    keys: Mapping[str, tuple[str, ...]]
    resource_first: bool = False
    order: tuple[str, ...] = field(default=FAMILIES)
    note: str = ""

    def ordered(self) -> Iterator[tuple[str, str]]:
        """(family, key) pairs, the winning one first."""
        for family in self.order:
            for key in self.keys.get(family, ()):
                yield family, key


def _f(name: str, type_: Type = "string", note: str = "", resource_first: bool = False, **keys: str) -> Field:
    return Field(name, type_, {family: tuple(text.split()) for family, text in keys.items()}, resource_first, note=note)


_USAGE = "langfuse.observation.usage_details:"
_SETTINGS = "langfuse.observation.model.parameters:"
_PARAMETERS = "llm.invocation_parameters:"
_HIDDEN = (
    "langfuse.observation.metadata.langfuse_{0} langfuse.trace.metadata.langfuse_{0} "
    "langfuse.observation.metadata:langfuse_{0}"
)
"""Where Langfuse's LangChain handler leaves what belongs to the trace."""

FIELDS: tuple[Field, ...] = (
    # What kind of span it is: see KIND_RULES in kinds.py.
    _f("langfuse_kind", langfuse="langfuse.observation.type"),
    _f("openinference_kind", openinference="openinference.span.kind"),
    _f("genai_operation", genai="gen_ai.operation.name", note="fills operation"),
    _f("traceloop_kind", openllmetry="traceloop.span.kind"),
    _f("request_type", openllmetry="llm.request.type"),
    _f("aisdk_operation", aisdk="ai.operationId operation.name", note="fills operation"),
    _f("mcp_method", openllmetry="mcp.method.name"),
    _f("guard", openlit="guard.name guard.verdict"),
    _f("db_system", genai="db.system.name db.system"),
    _f("db_operation", genai="db.operation.name db.operation"),
    _f("span_type", logfire="logfire.span_type"),
    # Model and provider.
    _f("provider", genai="gen_ai.provider.name gen_ai.system gen_ai.request.provider",
       openinference="llm.provider llm.system", aisdk="ai.model.provider", note="canonical name, see providers"),
    _f("provider_system", genai="gen_ai.system", openinference="llm.system", note="when the provider is a framework"),
    _f("request_model", langfuse="langfuse.observation.model.name", genai="gen_ai.request.model",
       openinference="llm.request.model_name llm.invocation_parameters:model llm.model_name embedding.model_name "
       "reranker.model_name", aisdk="ai.model.id", logfire="request_data:model model_name"),
    _f("response_model", genai="gen_ai.response.model", openinference="llm.response.model_name llm.model_name",
       aisdk="ai.response.model"),
    _f("response_id", genai="gen_ai.response.id", aisdk="ai.response.id"),
    # Tokens.
    _f("input_tokens", "uint", langfuse=f"{_USAGE}input {_USAGE}prompt_tokens {_USAGE}input_tokens",
       genai="gen_ai.usage.input_tokens gen_ai.usage.prompt_tokens gen_ai.aggregated_usage.input_tokens",
       openinference="llm.token_count.prompt",
       aisdk="ai.usage.inputTokens ai.usage.promptTokens ai.usage.tokens", note="including cached tokens"),
    _f("output_tokens", "uint", langfuse=f"{_USAGE}output {_USAGE}completion_tokens {_USAGE}output_tokens",
       genai="gen_ai.usage.output_tokens gen_ai.usage.completion_tokens gen_ai.aggregated_usage.output_tokens",
       openinference="llm.token_count.completion",
       aisdk="ai.usage.outputTokens ai.usage.completionTokens", note="including reasoning"),
    _f("total_tokens", "uint", langfuse=f"{_USAGE}total {_USAGE}total_tokens", genai="gen_ai.usage.total_tokens",
       openinference="llm.token_count.total", openllmetry="llm.usage.total_tokens", aisdk="ai.usage.totalTokens",
       note="else input + output"),
    _f("cache_read_tokens", "uint",
       langfuse=f"{_USAGE}input_cached_tokens {_USAGE}input_cache_read {_USAGE}cache_read_input_tokens",
       genai="gen_ai.usage.cache_read.input_tokens gen_ai.usage.cache_read_input_tokens "
       "gen_ai.usage.details.cache_read_tokens gen_ai.aggregated_usage.cache_read.input_tokens",
       openinference="llm.token_count.prompt_details.cache_read llm.token_count.prompt_details.cache_input",
       aisdk="ai.usage.inputTokenDetails.cacheReadTokens ai.usage.cachedInputTokens",
       openlit="gen_ai.usage.prompt_tokens_details.cached_tokens"),
    _f("cache_write_tokens", "uint", langfuse=f"{_USAGE}input_cache_creation {_USAGE}cache_creation_input_tokens",
       genai="gen_ai.usage.cache_write.input_tokens gen_ai.usage.cache_creation.input_tokens "
       "gen_ai.usage.cache_creation_input_tokens gen_ai.usage.details.cache_write_tokens",
       openinference="llm.token_count.prompt_details.cache_write", aisdk="ai.usage.inputTokenDetails.cacheWriteTokens",
       openlit="gen_ai.usage.prompt_tokens_details.cache_creation_tokens"),
    _f("reasoning_tokens", "uint", langfuse=f"{_USAGE}output_reasoning_tokens {_USAGE}output_reasoning",
       genai="gen_ai.usage.reasoning.output_tokens gen_ai.usage.reasoning_tokens gen_ai.usage.details.reasoning_tokens "
       "gen_ai.aggregated_usage.details.reasoning_tokens",
       openinference="llm.token_count.completion_details.reasoning", openllmetry="llm.usage.reasoning_tokens",
       aisdk="ai.usage.outputTokenDetails.reasoningTokens ai.usage.reasoningTokens",
       openlit="gen_ai.usage.completion_tokens_details.reasoning_tokens"),
    _f("usage_document", "json", langfuse="langfuse.observation.usage_details", logfire="response_data:usage gen_ai.usage.raw",
       note="its members, also those of prompt_tokens_details and the like, fill what no other key does"),
    _f("provider_metadata", "json", aisdk="ai.response.providerMetadata", note="cached and reasoning tokens"),
    # Cost, USD.
    _f("cost_input", "float", langfuse="langfuse.observation.cost_details:input", openinference="llm.cost.prompt"),
    _f("cost_output", "float", langfuse="langfuse.observation.cost_details:output", openinference="llm.cost.completion"),
    _f("cost_total", "float", langfuse="langfuse.observation.cost_details:total",
       genai="gen_ai.usage.cost gen_ai.usage.total_cost operation.cost", openinference="llm.cost.total"),
    # Request settings.
    _f("temperature", "float", langfuse=f"{_SETTINGS}temperature", genai="gen_ai.request.temperature",
       openinference=f"{_PARAMETERS}temperature", aisdk="ai.settings.temperature", logfire="request_data:temperature"),
    _f("top_p", "float", langfuse=f"{_SETTINGS}top_p", genai="gen_ai.request.top_p", openinference=f"{_PARAMETERS}top_p",
       aisdk="ai.settings.topP", logfire="request_data:top_p"),
    _f("top_k", "float", langfuse=f"{_SETTINGS}top_k", genai="gen_ai.request.top_k gen_ai.retrieval.top_k",
       openinference=f"{_PARAMETERS}top_k", openllmetry="llm.top_k db.vector.query.top_k", aisdk="ai.settings.topK"),
    _f("max_tokens", "uint", langfuse=f"{_SETTINGS}max_tokens",
       genai="gen_ai.request.max_tokens gen_ai.request.max_completion_tokens",
       openinference=f"{_PARAMETERS}max_tokens {_PARAMETERS}max_completion_tokens {_PARAMETERS}max_output_tokens",
       aisdk="ai.settings.maxOutputTokens ai.settings.maxTokens",
       logfire="request_data:max_tokens request_data:max_output_tokens"),
    _f("frequency_penalty", "float", genai="gen_ai.request.frequency_penalty",
       openinference=f"{_PARAMETERS}frequency_penalty", openllmetry="llm.frequency_penalty",
       aisdk="ai.settings.frequencyPenalty"),
    _f("presence_penalty", "float", genai="gen_ai.request.presence_penalty",
       openinference=f"{_PARAMETERS}presence_penalty", openllmetry="llm.presence_penalty",
       aisdk="ai.settings.presencePenalty"),
    _f("seed", "int", genai="gen_ai.request.seed gen_ai.openai.request.seed", openinference=f"{_PARAMETERS}seed",
       aisdk="ai.settings.seed"),
    _f("stop", "list", genai="gen_ai.request.stop_sequences", openinference=f"{_PARAMETERS}stop",
       openllmetry="llm.chat.stop_sequences", aisdk="ai.settings.stopSequences"),
    _f("choice_count", "uint", genai="gen_ai.request.choice.count", openinference=f"{_PARAMETERS}n",
       openllmetry="gen_ai.request.n"),
    _f("finish_reason", "list", genai="gen_ai.response.finish_reasons", openinference="llm.finish_reason",
       openllmetry="gen_ai.response.finish_reason llm.response.finish_reason gen_ai.response.stop_reason "
       "llm.response.stop_reason anthropic.message.stop_reason", aisdk="ai.response.finishReason gen_ai.finishReason",
       note="else as named by the output messages"),
    _f("is_stream", "bool", genai="gen_ai.request.stream", openinference=f"{_PARAMETERS}stream",
       openllmetry="gen_ai.is_streaming llm.is_streaming", logfire="request_data:stream"),
    _f("ttft_s", "float",
       genai="gen_ai.response.time_to_first_chunk gen_ai.client.operation.time_to_first_chunk "
       "gen_ai.server.time_to_first_token", note="seconds, fills ttft_ms"),
    _f("ttft_ms", "float", aisdk="ai.response.msToFirstChunk ai.stream.msToFirstChunk", note="milliseconds"),
    _f("ttft_at", langfuse="langfuse.observation.completion_start_time", note="time, fills ttft_ms"),
    # Who and where.
    _f("session_id", langfuse=f"langfuse.session.id {_HIDDEN.format('session_id')}", genai="gen_ai.conversation.id session.id",
       openllmetry="traceloop.association.properties.session_id traceloop.association.properties.conversation_id "
       "traceloop.association.properties.chat_id",
       aisdk="ai.telemetry.metadata.sessionId ai.settings.context.sessionId ai.settings.runtimeContext.sessionId",
       openlit="gen_ai.session.id"),
    _f("user_id", langfuse=f"langfuse.user.id {_HIDDEN.format('user_id')}", genai="user.id enduser.id enduser.pseudo.id",
       openllmetry="traceloop.association.properties.user_id gen_ai.user llm.user",
       aisdk="ai.telemetry.metadata.userId ai.settings.context.userId ai.settings.runtimeContext.userId",
       openlit="gen_ai.user.id gen_ai.request.user"),
    _f("prompt_name", langfuse="langfuse.observation.prompt.name langfuse.prompt.name", genai="gen_ai.prompt.name",
       openinference="prompt.id", openllmetry="traceloop.prompt.key"),
    _f("prompt_version", langfuse="langfuse.observation.prompt.version langfuse.prompt.version",
       genai="gen_ai.prompt.version", openinference="llm.prompt_template.version",
       openllmetry="traceloop.prompt.version traceloop.prompt.version_name traceloop.prompt.version_hash"),
    _f("prompt_template", openinference="llm.prompt_template.template", openllmetry="traceloop.prompt.template"),
    _f("prompt_variables", "json", openinference="llm.prompt_template.variables"),
    _f("environment", langfuse="langfuse.environment", genai="deployment.environment.name deployment.environment",
       openlit="gen_ai.environment", resource_first=True, note="else default"),
    _f("service_fallback", genai="service.name", openlit="gen_ai.application_name",
       openinference="openinference.project.name", note="only when the resource has no service.name"),
    _f("service_version", genai="service.version", resource_first=True),
    _f("release", langfuse="langfuse.release", genai="vcs.ref.head.revision vcs.repository.ref.revision"),
    _f("tags", "list", langfuse=f"langfuse.trace.tags langfuse.tags {_HIDDEN.format('tags')}", openinference="tag.tags",
       aisdk="ai.telemetry.metadata.tags", logfire="logfire.tags", openlit="gen_ai.framework.tags"),
    _f("feature", leewatch="app.feature", openllmetry="traceloop.workflow.name", genai="gen_ai.workflow.name",
       aisdk="ai.telemetry.functionId", langfuse="langfuse.trace.name", note="else metadata `feature`"),
    _f("experiment_id", langfuse="langfuse.experiment.id", leewatch="experiment.id", note="else metadata `experiment_id`"),
    _f("variant",
       genai="feature_flag.evaluation/feature_flag.result.variant feature_flag.result.variant feature_flag.variant",
       leewatch="experiment.variant", note="else metadata `variant`"),
    _f("agent_name", genai="gen_ai.agent.name", openinference="agent.name", logfire="agent_name"),
    _f("workflow_name", langfuse="langfuse.trace.name", genai="gen_ai.workflow.name",
       openllmetry="traceloop.workflow.name"),
    # Tools.
    _f("tool_name", genai="gen_ai.tool.name", openinference="tool.name", aisdk="ai.toolCall.name"),
    _f("tool_call_id", genai="gen_ai.tool.call.id", openinference="tool.id", aisdk="ai.toolCall.id"),
    _f("tool_arguments", "json", genai="gen_ai.tool.call.arguments", openinference="tool.parameters",
       openllmetry="mcp.request.argument", aisdk="ai.toolCall.args", logfire="tool_arguments",
       openlit="gen_ai.tool.input gen_ai.tool.args", note="tool spans: else the input"),
    _f("tool_result", "json", genai="gen_ai.tool.call.result", openllmetry="mcp.response.value",
       aisdk="ai.toolCall.result", logfire="tool_response", openlit="gen_ai.tool.output",
       note="tool spans: else the output"),
    _f("tool_definitions", "json", langfuse="langfuse.observation.input:tools", genai="gen_ai.tool.definitions",
       aisdk="ai.prompt.tools",
       note="else llm.tools.N.tool.json_schema, llm.request.functions.N.*"),
    # Errors.
    _f("error_type", genai="error.type", openlit="gen_ai.framework.error.type",
       note="else exception.type of the last exception"),
    _f("error_message", langfuse="langfuse.observation.status_message", openlit="gen_ai.framework.error.message",
       note="after the span status message and exception.message"),
    _f("level", langfuse="langfuse.observation.level"),
    # Retrieval.
    _f("query_text", genai="gen_ai.retrieval.query.text db.query.text db.query.summary db.statement",
       openinference="reranker.query", openlit="gen_ai.retrieval.query", note="retriever spans: else the input"),
    _f("context_documents", "json", genai="gen_ai.retrieval.documents",
       openinference="retrieval.documents reranker.output_documents",
       note="else retrieval.documents.N.document.*, reranker.output_documents.N.document.*, vector database events"),
    _f("system_instructions", "json",
       genai="gen_ai.system_instructions gen_ai.client.inference.operation.details/gen_ai.system_instructions",
       logfire="request_data:system"),
    _f("metadata_document", "json", openinference="metadata",
       langfuse="langfuse.observation.metadata langfuse.trace.metadata langfuse.metadata"),
    # Messages: the structured list, then indexed attributes (INDEXED), then these.
    _f("input_structured", "json",
       genai="gen_ai.input.messages gen_ai.client.inference.operation.details/gen_ai.input.messages gen_ai.prompt"),
    _f("output_structured", "json",
       genai="gen_ai.output.messages gen_ai.client.inference.operation.details/gen_ai.output.messages gen_ai.completion"),
    Field(
        "input_other",
        "json",
        {
            "aisdk": ("ai.prompt.messages", "ai.prompt", "ai.value", "ai.values"),
            "logfire": (
                "request_data:messages",
                "request_data:input",
                "request_data:prompt",
                "prompt",
            ),
            "langfuse": ("langfuse.observation.input",),
            "genai": ("gen_ai.content.prompt/gen_ai.prompt",),
            "openinference": ("input.value",),
            "openllmetry": ("traceloop.entity.input", "gen_ai.task.input"),
            "openlit": ("gen_ai.workflow.input",),
        },
        order=("aisdk", "logfire", "langfuse", "genai", "openinference", "openllmetry", "openlit"),
    ),
    Field(
        "output_other",
        "json",
        {
            "aisdk": ("ai.response.text", "ai.response.object", "ai.result.text", "ai.result.object"),
            "logfire": (
                "response_data:message",
                "response_data:combined_chunk_content",
                "response_data:text",
                "final_result",
            ),
            "langfuse": ("langfuse.observation.output",),
            "genai": ("gen_ai.content.completion/gen_ai.completion",),
            "openinference": ("output.value",),
            "openllmetry": ("traceloop.entity.output", "gen_ai.task.output"),
            "openlit": ("gen_ai.workflow.output",),
        },
        order=("aisdk", "logfire", "langfuse", "genai", "openinference", "openllmetry", "openlit"),
    ),
    _f("output_tool_calls", "json", aisdk="ai.response.toolCalls ai.result.toolCalls"),
    _f("message_events", "json", logfire="events all_messages_events pydantic_ai.all_messages",
       note="messages of both directions, used when no other key has them"),
)  # fmt: skip
"""Every field that a single attribute fills."""

SPECIAL_METADATA = tuple(
    key
    for field_ in FIELDS
    for _, key in field_.ordered()
    if any(key.startswith(f"{prefix}.") for prefix in METADATA_PREFIXES)
)
"""Keys under those prefixes that fill a field of their own."""
