"""langfuse: its SDK with OpenAI wrapped, manual observations, session, user, tags."""

import os

from conversation import openai_calls

PACKAGES = ("langfuse", "openai")


def run(models: str, sink: str) -> None:
    os.environ |= {
        "LANGFUSE_HOST": sink, "LANGFUSE_BASE_URL": sink, "LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk",
        "LANGFUSE_TRACING_ENVIRONMENT": "staging", "LANGFUSE_RELEASE": "r-1",
    }  # fmt: skip
    from langfuse import get_client, propagate_attributes
    from langfuse.openai import OpenAI

    client = get_client()
    with propagate_attributes(
        session_id="s-1", user_id="u-1", tags=["beta"], metadata={"plan": "pro"}, trace_name="timetable"
    ):
        openai_calls(OpenAI(base_url=f"{models}/v1", max_retries=0))
        with client.start_as_current_observation(as_type="retriever", name="search", input="harbour timetable") as span:
            span.update(output=["Ferries leave the old pier at 08:10."])
        with client.start_as_current_observation(
            as_type="generation", name="manual", model="gpt-fake", input=[{"role": "user", "content": "Ping"}],
            model_parameters={"temperature": 0.2},
        ) as generation:  # fmt: skip
            generation.update(
                output={"role": "assistant", "content": "Pong"},
                usage_details={
                    "input": 16,
                    "input_cached_tokens": 5,
                    "output": 9,
                    "output_reasoning_tokens": 2,
                    "total": 32,
                },
                cost_details={"input": 0.001, "output": 0.002, "total": 0.003},
            )
    client.flush()
