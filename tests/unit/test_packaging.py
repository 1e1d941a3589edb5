import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {"leewatch", "collector", "analyzers", "alerts", "dashboard"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Names of the files in a wheel built from the tree."""
    out = tmp_path_factory.mktemp("wheel")
    code = f"import hatchling.build as b; print(b.build_wheel({str(out)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=120)
    with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
        return archive.namelist()


def test_the_wheel_holds_the_five_packages_and_nothing_else(wheel):
    assert {name.split("/")[0] for name in wheel if ".dist-info/" not in name} == PACKAGES


def test_the_wheel_holds_schema_queries_rules_and_weights(wheel):
    for part in ("storage/migrations/0001_tables.sql", "storage/queries/", "alerts/default_rules.yaml", ".safetensors"):
        assert any(part in name for name in wheel), part


def test_no_other_distribution_provides_our_packages():
    providers = packages_distributions()
    for package in PACKAGES:
        assert set(providers.get(package, ["leewatch"])) == {"leewatch"}


def test_no_module_of_the_dashboard_folder_shadows_a_package():
    modules = {path.stem for path in (ROOT / "dashboard").glob("*.py")} - {"__init__"}
    assert not modules & set(packages_distributions())
    assert not modules & PACKAGES


def test_tests_have_no_package_files():
    assert not [p for p in (ROOT / "tests").rglob("__init__.py") if "plugin_package" not in p.parts]


def test_every_entry_point_loads():
    from leewatch.plugins import found

    for group in PROJECT["project"]["entry-points"]:
        for point in found(group).values():
            assert point.load() is not None


def test_every_dependency_is_pinned_in_the_lock_file():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    lock = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    wanted = list(PROJECT["project"]["dependencies"])
    for extra in PROJECT["project"]["optional-dependencies"].values():
        wanted.extend(extra)
    for requirement in wanted:
        name = requirement.split("[")[0].split(">")[0].split("=")[0].split("<")[0].strip().lower().replace("_", "-")
        assert name == "leewatch" or name in lock, name
