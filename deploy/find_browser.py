"""Makes sure that browser tests find a Chromium: the system's, else from apt when root, else playwright's own download."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def system_browser() -> str | None:
    """Path of an installed Chromium or Chrome; CHROMIUM in the environment comes first."""
    given = os.environ.get("CHROMIUM")
    return given if given and os.path.exists(given) else next(filter(None, map(shutil.which, NAMES)), None)


def main() -> int:
    """0 once there is a browser."""
    if system_browser():
        return 0
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("no Chromium found: installing Debian's package", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "chromium", "fonts-liberation"], check=False, env=environment
        )
        if system_browser():
            return 0
    print("no Chromium found: downloading playwright's", flush=True)
    return subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
