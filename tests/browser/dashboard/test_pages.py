"""Every page as a user sees it: on a desk and on a phone, by link and by click, hostile content, no store."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from leewatch.config import Settings
from leewatch.semconv import sql
from leewatch.storage.client import address, connect
from leewatch.testing import otlp

WIDTHS = (1440, 390)
IDLE = "document.querySelector('[data-testid=stApp]')?.getAttribute('data-test-script-state') == 'notRunning'"
_RGB = """selector => {
    const color = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const app = getComputedStyle(document.querySelector('.stApp'));
    return [color(getComputedStyle(document.querySelector(selector)).color), color(app.backgroundColor)];
}"""


class Visit:
    """One tab, with what went wrong in it."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)
        page.on("console", self._console)

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:", "blob:", "about:", self.base.replace("http", "ws", 1))):
            self.faults.append(f"left the machine: {request.url}")

    def _response(self, response: Any) -> None:
        # Streamlit's page looks for its server below the page's own path first; the 404 is how it learns better.
        if response.status >= 400 and "/_stcore/" not in response.url:
            self.faults.append(f"{response.status}: {response.url}")

    def _console(self, message: Any) -> None:
        if message.type == "error" and "/_stcore/" not in message.location.get("url", ""):
            self.faults.append(f"console: {message.text}")

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.base}/{path}")
        self.page.wait_for_selector(".lw-head h1, .lw-calm")
        self.settle()
        return self.page

    def settle(self) -> None:
        self.page.wait_for_timeout(150)
        self.page.wait_for_function(IDLE)

    def query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.page.url).query).items()}


@pytest.fixture
def visit(chromium: Browser, dashboard: Any) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def start(width: int = 1440, scheme: str = "light", base: str = dashboard.url) -> Visit:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.set_default_timeout(20_000)
        contexts.append(context)
        return Visit(context.new_page(), base)

    yield start
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_shows_its_figures_without_a_fault(visit: Callable[..., Visit], seeded: Any, width: int) -> None:
    pages = {
        "overview": "Services and models",
        "drift": "What moved",
        "quality?score=response.hallucination": "Highest values",
        "topics": "All topics",
        "traces": "Prompt and response" if width > 640 else "travel-chat",
        f"traces?trace={seeded.trace}": "Raw attributes",
        "infrastructure": "All metrics",
        "infrastructure?metric=vllm%3Ageneration_tokens": "Number of generation tokens processed.",
        "coverage": "Keys that nothing reads",
        f"alerts?alert={seeded.alert}": "Messages sent",
    }
    tab = visit(width)
    for path, content in pages.items():
        page = tab.open(path)
        expect(page.get_by_text(content).first).to_be_visible()
        assert page.locator("[data-testid=stException]").count() == 0
        assert page.locator("[data-testid=stAppDeployButton]").count() == 0
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width, path
        assert tab.faults == [], path


def test_the_overview_counts_what_was_sent(visit: Callable[..., Visit], store: Settings) -> None:
    page = visit().open("overview?range=7d")
    client = connect(store)
    (calls,) = client.query("SELECT count() FROM llm_spans FINAL WHERE kind = 'llm'").first_row
    client.close()
    expect(page.locator(".lw-tile", has_text="LLM calls").locator(".v")).to_have_text(f"{calls:,}")
    expect(page.locator(".js-plotly-plot")).to_have_count(6)
    assert page.locator(".lw-alert").count() == 2


def test_topics_show_what_grew_and_lead_to_the_calls(visit: Callable[..., Visit], store: Settings) -> None:
    tab = visit()
    page = tab.open("topics?range=6h")
    expect(page.locator(".lw-head")).to_contain_text("Topics")
    row = page.locator(".lw-topics tbody tr", has_text="payments, fail, error")
    expect(row).to_contain_text("shown")  # it grew most, so it is the one in detail
    expect(row.locator("td").nth(3)).to_have_text(re.compile(r"^\+\d+\.\d pts$"))
    expect(page.locator(".lw-tile", has_text="New").locator(".v")).to_have_text("1")
    expect(page.get_by_text("no call has this score").first).to_be_visible()
    expect(page.get_by_text("Another one about payments, fail, error, by [EMAIL]")).to_be_visible()
    count = row.locator("td").nth(1).inner_text()
    row.locator("td").nth(1).locator("a").click()
    page.wait_for_selector(".lw-spans")
    tab.settle()
    assert tab.query() == {"service": "checkout-assistant", "topic": "4", "kind": "llm", "range": "6h"}
    client = connect(store)
    (calls,) = client.query("SELECT count() FROM span_topics FINAL WHERE topic_id = 4").first_row
    client.close()
    assert count == f"{calls:,}"
    expect(page.locator(".lw-spans tbody tr")).to_have_count(min(calls, 50))
    assert "payments fail" in page.locator(".lw-spans tbody tr").first.inner_text()
    page = tab.open("topics?service=kb-bot&metric=hallucination")
    expect(page.locator(".lw-topics tbody tr")).to_have_count(3)
    assert tab.faults == []


def test_coverage_tells_what_lacks_and_how_to_mend_it(
    visit: Callable[..., Visit], store: Settings, seeded: Any
) -> None:
    lacking = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.odd_key": "x"}
    request = otlp.traces([{"attributes": lacking}] * 3, {"service.name": "invoice-reader"})
    body = otlp.batch_body([request], "coverage-page")
    client = connect(store)
    client.raw_insert("otlp_traces", insert_block=body, settings=sql.ingest_settings("traces"), fmt="ProtobufSingle")
    client.close()
    page = visit().open("coverage?service=invoice-reader&range=1h")
    found = page.locator(".lw-findings tbody tr")
    expect(found.nth(0)).to_contain_text("No prompt and no answer")
    expect(found.nth(0)).to_contain_text("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT")
    expect(found.nth(1)).to_contain_text("No token counts")
    expect(page.get_by_text("gen_ai.odd_key")).to_be_visible()
    expect(page.locator(".lw-tile", has_text="With tokens").locator(".v")).to_have_text("0 %")
    expect(visit().open("coverage?service=nobody").get_by_text("No LLM spans in this window")).to_be_visible()


def test_infrastructure_shows_model_servers_gpus_and_hosts(visit: Callable[..., Visit]) -> None:
    page = visit().open("infrastructure")
    for title in ("Time to first token", "GPU memory used", "CPU busy"):
        expect(page.locator(".lw-chart-title", has_text=title)).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(10)
    expect(page.locator(".lw-table").first).to_contain_text("claude-sonnet-4")


def test_a_metric_is_chosen_by_its_link_and_shown_on_top(visit: Callable[..., Visit]) -> None:
    tab = visit()
    page = tab.open("infrastructure?range=6h")
    page.get_by_role("link", name="DCGM_FI_DEV_GPU_UTIL").click()
    page.wait_for_url("**metric=DCGM_FI_DEV_GPU_UTIL**")
    tab.settle()
    expect(page.locator(".lw-chart-title").first).to_contain_text("DCGM_FI_DEV_GPU_UTIL")
    assert tab.query() == {"range": "6h", "metric": "DCGM_FI_DEV_GPU_UTIL"}


def test_infrastructure_without_metrics_says_where_to_send_them(visit: Callable[..., Visit]) -> None:
    page = visit().open("infrastructure?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z")
    expect(page.get_by_text("No metrics in this window")).to_be_visible()
    assert page.locator(".js-plotly-plot").count() == 0


def test_the_bare_address_leads_to_the_overview(visit: Callable[..., Visit]) -> None:
    tab = visit()
    page = tab.open("?range=6h")
    expect(page.locator("h1")).to_have_text("Overview")
    assert urlsplit(page.url).path == "/overview"
    assert tab.query() == {"range": "6h"}


def test_a_link_opens_a_drift_result_at_its_window(visit: Callable[..., Visit], seeded: Any) -> None:
    end = seeded.drift_end.strftime("%Y-%m-%dT%H:%M:%SZ")
    start = seeded.drift_end.replace(hour=0).strftime("%Y-%m-%dT%H:%M:%SZ")
    start, end = (start, end) if start < end else ("2020-01-01T00:00:00Z", end)
    page = visit().open(f"drift?service=checkout-assistant&field=prompt&from={start}&to={end}&at={end}")
    expect(page.get_by_text("checkout-assistant · prompt")).to_be_visible()
    expect(page.get_by_text("53 % of the prompts are of a topic that was rare before")).to_be_visible()
    expect(page.get_by_text("All payments fail with error 52, what is going on?")).to_be_visible()
    expect(page.get_by_role("heading", name="Why")).to_be_visible()
    for told in ("What is asked", "at once", "model = gpt-4o-mini", "these topics changed inside it"):
        expect(page.get_by_text(told).first).to_be_visible()


def test_a_link_opens_a_span_of_a_trace(visit: Callable[..., Visit], seeded: Any) -> None:
    page = visit().open(f"traces?trace={seeded.trace}&span={seeded.span}")
    names = [node.get_attribute("title") for node in page.locator(".lw-tree .n").all()]
    expected = ["POST /answer", "answer_question", "search_manuals", "lookup_price", "chat claude-sonnet-4"]
    assert names == [f"{name} (kb-bot)" for name in expected]
    expect(page.locator(".lw-tree a.on .n")).to_contain_text("chat")
    expect(page.locator(".lw-turn.assistant mark")).to_contain_text("free holiday")


def test_filters_write_the_url_and_the_url_sets_the_filters(visit: Callable[..., Visit]) -> None:
    tab = visit()
    page = tab.open("overview?service=kb-bot&range=6h")
    expect(page.get_by_role("combobox", name="Service")).to_have_value("kb-bot")
    expect(page.locator(".lw-head p")).to_contain_text("Last 6 hours")
    page.get_by_role("radio", name="1h").or_(page.get_by_role("button", name="1h")).first.click()
    expect(page.locator(".lw-head p")).to_contain_text("Last hour")
    assert tab.query() == {"service": "kb-bot", "range": "1h"}
    _choose(page, "Service", "All")
    expect(page.locator(".lw-head p")).to_contain_text("all services")
    assert tab.query() == {"range": "1h"}


def _choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_going_to_another_page_keeps_service_and_time(visit: Callable[..., Visit]) -> None:
    tab = visit()
    page = tab.open("overview?service=kb-bot&range=6h")
    page.get_by_role("link", name="Quality & safety").click()
    expect(page.locator("h1")).to_have_text("Quality & safety")
    expect(page.locator(".lw-head p")).to_contain_text("kb-bot")
    tab.settle()
    assert tab.query() == {"service": "kb-bot", "range": "6h"}


def test_a_parameter_that_makes_no_sense_is_said(visit: Callable[..., Visit]) -> None:
    page = visit().open("overview?range=3w&from=%3Cb%3E")
    expect(page.get_by_text("range=3w is not one of")).to_be_visible()
    expect(page.get_by_text("from=<b> is not a time")).to_be_visible()


def test_an_empty_answer_says_what_to_do(visit: Callable[..., Visit]) -> None:
    tab = visit()
    expect(tab.open("overview?service=nobody").get_by_text("No LLM traffic in this window")).to_be_visible()
    expect(tab.open("drift?service=nobody").get_by_text("No drift test in this window")).to_be_visible()
    expect(tab.open("quality?service=nobody").get_by_text("No scores in this window")).to_be_visible()
    expect(tab.open("traces?text=zzzz").get_by_text("No span matches")).to_be_visible()
    expect(tab.open("traces?trace=abc").get_by_text("This trace is not here")).to_be_visible()
    assert tab.faults == []


def test_search_finds_text_beyond_the_preview(visit: Callable[..., Visit]) -> None:
    page = visit().open("traces?text=free%20holiday&service=kb-bot")
    rows = page.locator(".lw-spans tbody tr")
    assert rows.count() > 10
    assert all("holiday" in text for text in rows.all_inner_texts())


@pytest.mark.parametrize(
    "path", ["traces", "traces?trace={trace}", "quality?score=prompt.toxicity", "drift?service=travel-chat"]
)
def test_content_of_spans_is_text_and_nothing_else(visit: Callable[..., Visit], path: str) -> None:
    tab = visit()
    page = tab.open(path.format(trace="f" * 32))
    if not path.startswith("drift"):
        expect(page.get_by_text("<script>window.pwned = 1</script>").first).to_be_visible()
        expect(page.get_by_text("$e = mc^2$").first).to_be_attached()
    assert page.evaluate("window.pwned") is None
    assert (
        page.locator("a[href*='example.invalid'], a[href^='javascript'], img[src*='example.invalid'], .katex").count()
        == 0
    )
    assert page.locator(".lw script, .lw img").count() == 0
    assert tab.faults == []


def test_a_report_runs_in_its_own_origin(visit: Callable[..., Visit]) -> None:
    page = visit().open("drift?service=kb-bot")
    page.get_by_text("Show the report").click()
    frame = page.frame_locator("iframe").frame_locator("iframe")
    expect(frame.locator("#r[data-ran]")).to_have_text("Tabular drift of 6 columns")
    assert page.evaluate("window.pwned") is None


def test_an_alert_is_acknowledged_by_a_silence(visit: Callable[..., Visit], seeded: Any, store: Settings) -> None:
    tab = visit()
    page = tab.open(f"alerts?alert={seeded.alert}")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Comment").fill("looking into it")
    page.get_by_role("button", name="Silence").click()
    expect(page.get_by_text("looking into it")).to_be_visible()
    client = connect(store)
    rows = client.query(
        "SELECT created_by, comment, matchers, dateDiff('minute', starts_at, ends_at) FROM silences FINAL"
    ).result_rows
    client.close()
    assert [tuple(row) for row in rows] == [
        ("Ada", "looking into it", {"rule": "hallucination", "service": "kb-bot"}, 60)
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_both_themes(visit: Callable[..., Visit], scheme: str) -> None:
    page = visit(scheme=scheme).open("overview")
    for selector in ("h1", ".lw-tile .k", ".lw-table td", ".lw-chip.critical"):
        text, background = page.evaluate(_RGB, selector)
        # The chip's own tint lies between text and background; 3.5 leaves room for it. WCAG asks 4.5 of body text.
        assert _contrast(text, background) >= (3.5 if "chip" in selector else 4.5), selector


def _contrast(first: list[float], second: list[float]) -> float:
    """WCAG 2.1 contrast ratio of two sRGB colours."""
    lights = []
    for color in (first, second):
        scaled = [value if max(color) <= 1 else value / 255 for value in color]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in scaled]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


class Gate:
    """A TCP port before the store that can be shut and opened again."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.open = False
        self._pipes: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self.open:
                    near.close()
                    continue
                far = socket.create_connection(self.target)
                self._pipes += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                sink.sendall(chunk)
        self._shut(source, sink)

    def _shut(self, *pipes: socket.socket) -> None:
        for pipe in pipes:
            with contextlib.suppress(OSError):
                pipe.shutdown(socket.SHUT_RDWR)
            pipe.close()

    def shut(self) -> None:
        self.open = False
        self._shut(*self._pipes)

    def close(self) -> None:
        self.shut()
        self._shut(self._listener)


def test_a_store_that_is_down_is_said_calmly_and_comes_back(
    visit: Callable[..., Visit], store: Settings, seeded: Any, start_dashboard: Callable[..., Any]
) -> None:
    where = address(store)
    gate = Gate((where.host, where.port))
    dsn = f"clickhouse://{where.user}:{where.password}@127.0.0.1:{gate.port}/{where.database}"
    running = start_dashboard(store.data, LEEWATCH_STORAGE__DSN=dsn)
    tab = visit(base=running.url)
    page = tab.open("overview")
    expect(page.get_by_text("The database cannot be reached")).to_be_visible()
    expect(page.get_by_text("leewatch up")).to_be_visible()
    gate.open = True
    expect(page.locator(".lw-tile").first).to_be_visible(timeout=20_000)
    gate.shut()
    tab.open("alerts")
    expect(page.get_by_text("The database cannot be reached")).to_be_visible()
    assert where.password not in page.content()
    began = time.monotonic()
    assert running.stop() == 0, "SIGTERM with an open page"
    assert time.monotonic() - began < 10
    gate.close()
