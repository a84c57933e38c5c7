"""SATSegment.json is what the Extensions Index takes, and says the same as the extension's CMake file."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[3]
ENTRY = ROOT / "SATSegment.json"
# Slicer's schema for catalog entries, version 1.0.1; it allows no other keys.
KINDS = {
    "$schema": str, "build_dependencies": list, "build_subdirectory": str, "category": str, "enabled": bool,
    "scm_revision": str, "scm_type": str, "scm_url": str, "tier": int, "dicom_support_rule": str,
}  # fmt: skip
REQUIRED = {"$schema", "category", "scm_url"}
SCHEMA = re.compile(
    r"https://raw\.githubusercontent\.com/Slicer/Slicer/main/Schemas/"
    r"slicer-extension-catalog-entry-schema-v1\.0\.1\.json#?"
)
MOST_BYTES = 100e6


@pytest.fixture(scope="module")
def entry() -> dict[str, Any]:
    return json.loads(ENTRY.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cmake() -> dict[str, str]:
    """The variables that the top CMake file sets."""
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    variables = dict(re.findall(r'^set\((\w+) "([^"]*)"\)', text, re.MULTILINE))
    return {**variables, "project": re.findall(r"^project\((\w+)\)", text, re.MULTILINE)[0]}


def test_the_entry_has_what_the_schema_asks_for_and_nothing_else(entry: dict[str, Any]) -> None:
    assert REQUIRED <= set(entry) <= set(KINDS)
    assert {key: type(value) for key, value in entry.items()} == {key: KINDS[key] for key in entry}
    assert SCHEMA.fullmatch(entry["$schema"])
    assert 1 <= entry["tier"] <= 5
    assert b"\r" not in ENTRY.read_bytes()


def test_names_are_as_the_index_wants_them(entry: dict[str, Any], cmake: dict[str, str]) -> None:
    assert cmake["project"] == ENTRY.stem
    assert not ENTRY.stem.startswith("Slicer")
    address = urlsplit(entry["scm_url"])
    assert address.scheme == "https"
    assert address.path.endswith(".git")
    assert Path(address.path).stem.startswith("Slicer")


def test_cmake_says_the_same(entry: dict[str, Any], cmake: dict[str, str]) -> None:
    homepage = entry["scm_url"].removesuffix(".git")
    assert cmake["EXTENSION_HOMEPAGE"] == homepage
    assert cmake["EXTENSION_CATEGORY"] == entry["category"]
    assert cmake["EXTENSION_DEPENDS"].split() == entry["build_dependencies"]
    raw = homepage.replace("https://github.com/", "https://raw.githubusercontent.com/")
    pictures = [cmake["EXTENSION_ICONURL"], *cmake["EXTENSION_SCREENSHOTURLS"].split()]
    assert len(pictures) > 1
    for url in pictures:
        branch = f"{raw}/{entry['scm_revision']}/"
        assert url.startswith(branch)
        content = (ROOT / url.removeprefix(branch)).read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n", url


def test_a_named_licence_is_there_and_the_repository_is_small_enough() -> None:
    assert "Apache License" in (ROOT / "LICENSE.txt").read_text(encoding="utf-8")
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: a released archive has no history to weigh")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True).stdout
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    assert sum(path.stat().st_size for path in files if path.is_file()) < MOST_BYTES
    packs = sum(path.stat().st_size for path in (ROOT / ".git").rglob("*") if path.is_file())
    assert packs < MOST_BYTES
