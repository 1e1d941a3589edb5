"""opentelemetry-instrumentation-chromadb (OpenLLMetry): a vector database."""

from conversation import DOCUMENTS
from providers import tracer_provider

PACKAGES = ("opentelemetry-instrumentation-chromadb", "chromadb")


def run(models: str, sink: str) -> None:
    import chromadb
    from opentelemetry.instrumentation.chromadb import ChromaInstrumentor

    traces = tracer_provider(sink)
    ChromaInstrumentor().instrument(tracer_provider=traces)
    collection = chromadb.EphemeralClient().create_collection("harbour", embedding_function=None)
    vectors = [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]
    collection.add(ids=["d-0", "d-1"], documents=DOCUMENTS, embeddings=vectors, metadatas=[{"page": 1}, {"page": 2}])
    collection.query(query_embeddings=[vectors[0]], n_results=2)
    collection.get(ids=["d-1"])
    traces.force_flush()
