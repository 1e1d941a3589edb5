"""Vercel AI SDK, in Node: the directory in VERCEL_DIR has the packages of requirements/vercel.json installed."""

import json
import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = ()
_SCRIPT = Path(__file__).parents[1] / "vercel.mjs"


def run(models: str, sink: str) -> None:
    directory = Path(os.environ["VERCEL_DIR"])
    script = Path(shutil.copy(_SCRIPT, directory))
    node = shutil.which("node") or "node"
    subprocess.run([node, script.name, models, sink], cwd=directory, check=True, timeout=60)


def about() -> dict[str, str]:
    """Names and versions of the packages."""
    modules = Path(os.environ["VERCEL_DIR"]) / "node_modules"
    return {
        name: json.loads((modules / name / "package.json").read_text())["version"] for name in ("ai", "@ai-sdk/openai")
    }
