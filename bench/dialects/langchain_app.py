"""A small LangChain application: chat, stream, tool call, retriever, chain, and a model that does not exist."""

from __future__ import annotations

from typing import Any

from conversation import DOCUMENTS, PRICE_QUESTION, QUESTION, STREAMED, SYSTEM, TOOL, TOOL_RESULT, refused


def run_app(models: str, config: dict[str, Any] | None = None) -> None:
    """Runs it. config: LangChain's configuration of each call, e.g. callbacks."""
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    class Harbour(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
            return [Document(page_content=text, metadata={"source": f"doc-{n}"}) for n, text in enumerate(DOCUMENTS)]

    @tool(TOOL)
    def lookup_price(route: str) -> str:
        """Price of a ticket for a route"""
        return TOOL_RESULT

    def model(name: str = "gpt-fake", **settings: Any) -> ChatOpenAI:
        return ChatOpenAI(model=name, base_url=f"{models}/v1", api_key="sk-fake", max_retries=0, **settings)

    given: Any = config or {}
    model(temperature=0.2, max_tokens=64).invoke([SystemMessage(SYSTEM), HumanMessage(QUESTION)], config=given)
    for _ in model(stream_usage=True).stream([HumanMessage(STREAMED)], config=given):
        pass
    bound = model().bind_tools([lookup_price])
    first = bound.invoke([HumanMessage(PRICE_QUESTION)], config=given)
    result = lookup_price.invoke(first.tool_calls[0], config=given)
    second = [HumanMessage(PRICE_QUESTION), first, ToolMessage(result.content, tool_call_id=first.tool_calls[0]["id"])]
    bound.invoke(second, config=given)
    prompt = ChatPromptTemplate.from_messages([("system", "Use: {context}"), ("user", "{question}")])
    chain = {"context": Harbour(), "question": lambda text: text} | prompt | model() | StrOutputParser()
    chain.invoke(QUESTION, config=given)
    refused(lambda: model("missing-model").invoke([HumanMessage(QUESTION)], config=given))
