"""openinference-instrumentation-llama-index: a query engine over two documents."""

from conversation import DOCUMENTS, QUESTION
from providers import tracer_provider

PACKAGES = ("openinference-instrumentation-llama-index", "llama-index-core")


def run(models: str, sink: str) -> None:
    from llama_index.core import Document, PromptTemplate, Settings, VectorStoreIndex
    from llama_index.embeddings.openai import OpenAIEmbedding
    from llama_index.llms.openai import OpenAI
    from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

    traces = tracer_provider(sink)
    LlamaIndexInstrumentor().instrument(tracer_provider=traces)
    Settings.llm = OpenAI(model="gpt-4o-mini", api_base=f"{models}/v1", temperature=0.2, max_retries=0)
    Settings.embed_model = OpenAIEmbedding(api_base=f"{models}/v1")
    index = VectorStoreIndex.from_documents([Document(text=text) for text in DOCUMENTS])
    asked = PromptTemplate("Use: {context_str} Question: {query_str}")
    engine = index.as_query_engine(
        similarity_top_k=2, text_qa_template=asked, refine_template=PromptTemplate("{existing_answer}")
    )
    engine.query(QUESTION)
    traces.force_flush()
