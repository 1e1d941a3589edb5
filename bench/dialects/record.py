"""Records what a package exports: python bench/dialects/record.py NAME [OUT_DIR], in an environment that has the package.

Environments: bench/dialects/requirements/*.txt. Each scenario in bench/dialects/scenarios says which one it needs.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from fakes import ModelServer  # noqa: E402
from sink import Sink  # noqa: E402

RECORDED = HERE.parents[1] / "tests" / "data" / "recorded"


def main(name: str, directory: Path) -> None:
    """Runs one scenario and writes NAME.json."""
    with ModelServer() as models, Sink() as sink:
        os.environ |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.address, "OTEL_SERVICE_NAME": "harbour", "OPENAI_API_KEY": "sk-fake",
            "ANTHROPIC_API_KEY": "sk-fake", "OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }  # fmt: skip
        scenario = importlib.import_module(f"scenarios.{name}")
        scenario.run(models.address, sink.address)
        counts = {signal: sum(1 for kind, _ in sink.bodies if kind == signal) for signal in ("traces", "logs")}
        about = (
            scenario.about()
            if hasattr(scenario, "about")
            else {package: version(package) for package in scenario.PACKAGES}
        )
        sink.write(directory / f"{name}.json", about)
        print(name, counts)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else RECORDED)
