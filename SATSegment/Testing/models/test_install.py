"""Weights: asked for, fetched, checked, converted, imported, deleted; and no network unless the user wants it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from models.hub_server import Hub, tree
from models.released_files import NANO, hub_with, write_released_files

from helpers.models import TINY_WINDOW, write_tiny_checkpoint
from helpers.small_model import headLikeImage
from SATSegmentLib.engine.api import RunOptions, SegmentRequest
from SATSegmentLib.engine.offline import download_environment, offline_environment
from SATSegmentLib.engine.process import WorkerEngine
from SATSegmentLib.engine.tasks import in_this_process
from SATSegmentLib.errors import Cancelled, CheckpointError, ModelNotFound, OutputError, SATSegmentError
from SATSegmentLib.models import install as weights
from SATSegmentLib.models.catalog import CatalogEntry, catalog
from SATSegmentLib.models.download import DownloadError
from SATSegmentLib.models.folder import DESCRIPTION_FILE, read_description
from SATSegmentLib.models.install import ConsentError, Installer
from SATSegmentLib.setup.child_tasks import ChildTasks
from SATSegmentLib.types import Progress, Prompt

DEMO = next(entry for entry in catalog() if entry.embedded)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files in the released layout, under the released names."""
    return write_released_files(tmp_path_factory.mktemp("released"))


@pytest.fixture
def hub(released: Path) -> Iterator[Hub]:
    hub = hub_with(released)
    yield hub
    hub.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models' folder of our own, with room for small files only in what a download asks to remain free."""
    folder = tmp_path / "models"
    monkeypatch.setenv("SATSEGMENT_MODELS", str(folder))
    monkeypatch.setitem(weights._SIZES, "sat-nano", weights.Sizes(1e6, 1e6))
    return folder


def children(hub: Hub) -> ChildTasks:
    """As in Slicer: each task in a process of its own."""
    return ChildTasks(sys.executable, {**os.environ, "HF_ENDPOINT": hub.address, "OMP_NUM_THREADS": "1"})


def installer(hub: Hub) -> Installer:
    """As at a terminal, but downloads have processes of their own: their library reads its address once."""

    def do(task: str, *arguments: Any) -> Any:
        return (children(hub) if task == "download" else in_this_process)(task, *arguments)

    return Installer(do)


def test_a_model_is_downloaded_converted_and_ready(hub: Hub, home: Path) -> None:
    seen: list[Progress] = []
    folder = Installer(children(hub)).download(NANO, consent=True, progress=seen.append)
    assert folder == home / "sat-nano"
    assert NANO.installed
    description = read_description(folder)
    assert description.name == "SAT-Nano"
    assert description.network_sha256
    assert description.text_sha256
    assert (folder / "bank.safetensors").is_file()
    assert not weights.staging_folder(NANO).exists()
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions)
    assert any(one.stage.startswith("downloading") and "/s" in one.stage for one in seen)
    assert any(one.stage.startswith("converting") for one in seen)


def test_without_consent_nothing_is_asked_of_the_network(hub: Hub, home: Path) -> None:
    with pytest.raises(ConsentError):
        installer(hub).download(NANO, consent=False)
    assert hub.requests == []
    assert not home.exists()


def test_the_notice_says_size_source_and_that_there_is_no_licence() -> None:
    for entry in (one for one in catalog() if one.repository):
        text = weights.notice(entry)
        assert "GB" in text
        assert entry.repository in text
        assert "no licence" in text


def test_cancel_ends_a_download_on_its_way_and_the_next_try_goes_on(hub: Hub, released: Path, home: Path) -> None:
    hub.bytes_per_second = 500_000
    started: list[Progress] = []

    def begun(progress: Progress) -> None:
        if progress.fraction > 0:
            started.append(progress)

    with pytest.raises(Cancelled):
        installer(hub).download(NANO, consent=True, progress=begun, cancel=lambda: bool(started))
    assert not NANO.installed
    there = weights.started_bytes(NANO)
    # Ended while the files were on their way, not when they had come.
    assert 0 < there < sum(path.stat().st_size for path in released.iterdir())
    hub.bytes_per_second = None
    hub.requests.clear()
    installer(hub).download(NANO, consent=True)
    assert NANO.installed
    assert any(asked and asked != "bytes=0-" for _, _, asked in hub.requests)


def test_a_server_that_hangs_does_not_hold_the_user(hub: Hub) -> None:
    hub.bytes_per_second = 1.0  # the files would take weeks
    with pytest.raises(Cancelled):
        installer(hub).download(NANO, consent=True, cancel=lambda: len(hub.requests) > 0)


def test_a_damaged_download_installs_nothing(hub: Hub) -> None:
    hub.corrupt = True
    with pytest.raises(DownloadError, match="checksum"):
        installer(hub).download(NANO, consent=True)
    assert not NANO.installed


def test_a_failed_conversion_keeps_an_older_model(hub: Hub, home: Path) -> None:
    installer(hub).download(NANO, consent=True)
    before = tree(home / "sat-nano")
    hub.files[f"{NANO.repository}/{NANO.network}"] = b"no checkpoint at all"
    with pytest.raises(Exception, match=r"nano\.pth"):
        installer(hub).download(NANO, consent=True)
    assert tree(home / "sat-nano") == before


def test_a_folder_that_was_carried_in_needs_no_network(hub: Hub, released: Path, home: Path) -> None:
    folder = installer(hub).import_folder(NANO, released)
    assert read_description(folder).name == "SAT-Nano"
    assert hub.requests == []
    assert {"nano.pth", "nano_text_encoder.pth"} <= set(tree(released))


def test_a_converted_model_can_be_carried_in(hub: Hub, released: Path, home: Path, tmp_path: Path) -> None:
    folder = installer(hub).import_folder(NANO, released)
    carried = tmp_path / "stick" / "any name"
    carried.parent.mkdir()
    folder.rename(carried)
    assert not NANO.installed
    assert tree(installer(hub).import_folder(NANO, carried.parent)) == tree(carried)


def test_another_model_is_not_taken_for_this_one(hub: Hub, released: Path, home: Path, tmp_path: Path) -> None:
    other = CatalogEntry("sat-pro", "SAT-Pro", "", False, "a/b", "Pro/SAT_Pro.pth", "Pro/text_encoder.pth", "c/d")
    carried = installer(hub).import_folder(NANO, released).rename(tmp_path / "carried")
    with pytest.raises(ModelNotFound, match=r"SAT_Pro.pth.*text_encoder.pth"):
        installer(hub).import_folder(other, carried)


def carried_model(hub: Hub, released: Path, place: Path) -> Path:
    """A converted model as another machine would hand it over."""
    place.parent.mkdir(parents=True, exist_ok=True)
    return installer(hub).import_folder(NANO, released).rename(place)


def test_a_damaged_model_does_not_replace_a_good_one(hub: Hub, released: Path, home: Path, tmp_path: Path) -> None:
    carried = carried_model(hub, released, tmp_path / "stick" / "model")
    installer(hub).import_folder(NANO, released)
    before = tree(home / "sat-nano")
    network = carried / "network.safetensors"
    network.write_bytes(network.read_bytes()[:-100])
    with pytest.raises(CheckpointError):
        installer(hub).import_folder(NANO, carried)
    assert tree(home / "sat-nano") == before
    assert [path.name for path in home.iterdir()] == ["sat-nano"]


def test_a_damaged_neighbour_is_not_in_the_way(hub: Hub, released: Path, home: Path, tmp_path: Path) -> None:
    carried_model(hub, released, tmp_path / "stick" / "model")
    (tmp_path / "stick" / "a").mkdir()
    (tmp_path / "stick" / "a" / "model.json").write_text("{")
    assert installer(hub).import_folder(NANO, tmp_path / "stick") == home / "sat-nano"


def test_only_the_models_own_files_are_taken_and_no_link_is_followed_out(
    hub: Hub, released: Path, home: Path, tmp_path: Path
) -> None:
    carried = carried_model(hub, released, tmp_path / "stick" / "model")
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    (carried / "text" / "notes.txt").symlink_to(secret)
    (carried / "letter.txt").write_text("beside the model")
    folder = installer(hub).import_folder(NANO, tmp_path / "stick")
    assert not any("not yours" in path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())
    assert not (folder / "letter.txt").exists()
    (carried / "network.safetensors").rename(tmp_path / "elsewhere")
    (carried / "network.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SATSegmentError):
        installer(hub).import_folder(NANO, tmp_path / "stick")


@pytest.mark.parametrize(
    "change",
    [
        {"name": 5},
        {"name": "SAT\x1b[31m"},
        {"name": "two\nlines"},
        {"name": ""},
        {"name": "x" * 1000},
        {"window": [64.5, 64, 32]},
        {"window": [True, "64", 32]},
        {"spacing": [1, 1, 1e300]},
        {"network_sha256": "../../etc/passwd"},
        {"network_sha256": 7},
        {"orientations": ["XYZ"]},
        {"family": 3},
        {"extra": 1},
    ],
)
def test_a_description_with_odd_values_is_refused(tmp_path: Path, change: dict) -> None:
    good = {"name": "Tiny", "window": [64, 64, 32], "spacing": [1, 1, 3], "orientations": ["RAS"]}
    (tmp_path / "model.json").write_text(json.dumps(good))
    assert read_description(tmp_path).name == "Tiny"
    (tmp_path / "model.json").write_text(json.dumps({**good, **change}))
    with pytest.raises(CheckpointError, match="damaged"):
        read_description(tmp_path)


def test_what_a_folder_lacks_is_named(hub: Hub, tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path / "nano.pth")
    with pytest.raises(ModelNotFound, match=r"lacks nano_text_encoder.pth, config.json") as caught:
        installer(hub).import_folder(NANO, tmp_path)
    assert NANO.repository in caught.value.remedy


def test_delete_removes_the_model_and_the_unfinished_download(hub: Hub, released: Path, home: Path) -> None:
    installer(hub).import_folder(NANO, released)
    weights.staging_folder(NANO).mkdir(parents=True)
    weights.delete(NANO)
    assert not NANO.installed
    assert not weights.staging_folder(NANO).exists()
    with pytest.raises(OutputError):
        weights.delete(DEMO)


def test_the_self_check_computes_on_the_device_and_names_it(hub: Hub) -> None:
    found = installer(hub).check_device("cpu")
    assert found["device"] == "cpu"
    assert found["name"]
    assert found["torch"]


def test_of_several_networks_of_one_name_none_is_taken_by_chance(released: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    for folder in ("a", "b"):
        shutil.copytree(released, stick / folder)
    Installer(in_this_process).import_folder(NANO, stick)  # copies of each other
    with (stick / "a" / "nano.pth").open("ab") as file:
        file.write(b"another")
    with pytest.raises(ModelNotFound, match=r"several of nano\.pth") as caught:
        Installer(in_this_process).import_folder(NANO, stick)
    assert str(Path("a", "nano.pth")) in str(caught.value)
    (stick / "b").rename(stick / "Nano")  # where its authors published it
    Installer(in_this_process).import_folder(NANO, stick)
    (stick / "a" / "words" / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelNotFound, match="several of"):
        Installer(in_this_process).import_folder(NANO, stick)


def test_a_tokenizer_in_a_folder_of_its_models_name_is_the_one_that_is_meant(released: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    shutil.copytree(released, stick)
    (stick / "words").rename(stick / Path(NANO.tokenizer).name)
    shutil.copytree(stick / Path(NANO.tokenizer).name, stick / "another")
    (stick / "another" / "config.json").write_text("{}", encoding="utf-8")
    Installer(in_this_process).import_folder(NANO, stick)


_NO_NETWORK = """
import pathlib, socket
def refuse(*arguments, **_):
    pathlib.Path({log!r}).open("a").write(repr(arguments[1:]) + "\\n")
    raise OSError("the network was used")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
"""


def test_a_run_and_an_import_never_touch_the_network(hub: Hub, released: Path, tmp_path: Path) -> None:
    log, site = tmp_path / "network.log", tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_NO_NETWORK.format(log=str(log)))
    environment = {**os.environ, "PYTHONPATH": str(site), "HF_ENDPOINT": hub.address, "OMP_NUM_THREADS": "1"}
    folder = Installer(ChildTasks(sys.executable, environment)).import_folder(NANO, released)
    # With windows as small as the network: those of SAT-Nano take a minute.
    description = dataclasses.replace(read_description(folder), window=TINY_WINDOW)
    (folder / DESCRIPTION_FILE).write_text(description.to_json(), encoding="utf-8")
    worker = WorkerEngine(sys.executable, offline_environment(environment))
    # Free text goes through the text encoder and its tokenizer, whose library would look for updates.
    prompts = [Prompt("left hippocampus", "mri"), Prompt("some other words", "mri", trained=False)]
    answer = worker.segment(SegmentRequest.of(headLikeImage(), prompts, RunOptions("sat-nano")))
    assert len(answer.results) == 2
    worker.close()
    assert not log.exists(), log.read_text()
    assert hub.requests == []


def test_the_switches_are_set_for_runs_and_not_for_downloads() -> None:
    assert offline_environment({})["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in download_environment({})
    assert json.dumps(offline_environment({"A": "b"})).count("A") >= 1
