"""Downloads that hospitals can live with: checked, resumed, cancelled, and honest about what went wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from models.fetching import run_fetch
from models.hub_server import Hub, tree

WEIGHTS = np.random.default_rng(5).bytes(3_000_000)
CONFIG = b'{"model_type": "mpnet"}'
NETWORK = {"repository": "someone/model", "path": "Nano/nano.pth"}
FILE = "someone/model/Nano/nano.pth"


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub({FILE: WEIGHTS, "someone/words/config.json": CONFIG})
    yield hub
    hub.close()


def test_files_arrive_whole_and_progress_says_how_fast(hub: Hub, tmp_path: Path) -> None:
    hub.bytes_per_second = 4e6
    wanted = [
        NETWORK,
        {"repository": "someone/words", "path": "config.json"},
        {"repository": "someone/words", "path": "vocab.txt", "optional": True},
    ]
    answer = run_fetch(hub.address, tmp_path, wanted)
    assert [Path(one).name for one in answer["files"]] == ["nano.pth", "config.json"]
    assert (tmp_path / FILE).read_bytes() == WEIGHTS
    assert (tmp_path / "someone/words/config.json").read_bytes() == CONFIG
    assert len(tree(tmp_path)) == 2
    fractions = [fraction for fraction, _, _ in answer["seen"]]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any("of 3.0 MB" in stage and "/s" in stage for _, stage, _ in answer["seen"])
    assert any(left is not None and 0 < left < 10 for _, _, left in answer["seen"])


def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    run_fetch(hub.address, tmp_path, [NETWORK])
    hub.requests.clear()
    assert run_fetch(hub.address, tmp_path, [NETWORK])["files"]
    assert [method for method, _, _ in hub.requests] == ["HEAD"]


def test_a_download_that_was_cut_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.cut_after = 400_000
    # Each try gets a piece; the library gives up at last only if nothing at all arrives.
    answer = run_fetch(hub.address, tmp_path, [NETWORK], cancel_at=0.2)
    assert answer["error"]["kind"] in ("Cancelled", "DownloadError")
    ((name, size),) = tree(tmp_path).items()
    assert name.endswith(".part")
    assert 0 < size < len(WEIGHTS)
    hub.cut_after = None
    hub.requests.clear()
    assert run_fetch(hub.address, tmp_path, [NETWORK])["files"]
    assert ("GET", "/someone/model/resolve/main/Nano/nano.pth", f"bytes={size}-") in hub.requests
    assert (tmp_path / FILE).read_bytes() == WEIGHTS
    assert list(tree(tmp_path)) == [FILE]


def test_a_server_that_cannot_go_on_sends_it_all_again(hub: Hub, tmp_path: Path) -> None:
    hub.bytes_per_second = 3e6
    run_fetch(hub.address, tmp_path, [NETWORK], cancel_at=0.3)
    hub.bytes_per_second, hub.ignore_range = None, True
    answer = run_fetch(hub.address, tmp_path, [NETWORK])
    assert answer["files"]
    assert (tmp_path / FILE).read_bytes() == WEIGHTS
    assert answer["seen"][-1][0] == 1.0


def test_a_part_of_another_upload_is_not_joined(hub: Hub, tmp_path: Path) -> None:
    hub.bytes_per_second = 3e6
    run_fetch(hub.address, tmp_path, [NETWORK], cancel_at=0.3)
    hub.bytes_per_second = None
    hub.files[FILE] = bytes(reversed(WEIGHTS))
    assert run_fetch(hub.address, tmp_path, [NETWORK])["files"]
    assert (tmp_path / FILE).read_bytes() == bytes(reversed(WEIGHTS))


def test_cancel_keeps_what_has_arrived(hub: Hub, tmp_path: Path) -> None:
    hub.bytes_per_second = 3e6
    answer = run_fetch(hub.address, tmp_path, [NETWORK], cancel_at=0.3)
    assert answer["error"]["kind"] == "Cancelled"
    ((_, size),) = tree(tmp_path).items()
    assert 0.2 * len(WEIGHTS) < size < len(WEIGHTS)


@pytest.mark.parametrize("path", ["Nano/nano.pth", "config.json"])
def test_a_damaged_file_is_refused_and_removed(hub: Hub, tmp_path: Path, path: str) -> None:
    hub.corrupt = True
    wanted = {"repository": "someone/words" if path == "config.json" else "someone/model", "path": path}
    error = run_fetch(hub.address, tmp_path, [wanted])["error"]
    assert error["kind"] == "DownloadError"
    assert "checksum" in error["message"]
    assert error["remedy"]
    assert tree(tmp_path) == {}


def test_a_file_that_was_changed_on_disk_is_fetched_again(hub: Hub, tmp_path: Path) -> None:
    run_fetch(hub.address, tmp_path, [NETWORK])
    (tmp_path / FILE).write_bytes(b"x" * len(WEIGHTS))
    assert run_fetch(hub.address, tmp_path, [NETWORK])["files"]
    assert (tmp_path / FILE).read_bytes() == WEIGHTS


def test_a_disk_without_room_is_said_before_the_download(hub: Hub, tmp_path: Path) -> None:
    hub.announced_size = 10**16
    error = run_fetch(hub.address, tmp_path, [NETWORK])["error"]
    assert error["kind"] == "OutputError"
    assert "free" in error["message"]
    assert [method for method, _, _ in hub.requests] == ["HEAD"]


def test_room_for_the_conversion_counts(hub: Hub, tmp_path: Path) -> None:
    assert run_fetch(hub.address, tmp_path, [NETWORK], spare_bytes=10**16)["error"]["kind"] == "OutputError"


def test_a_disk_that_fills_up_is_an_error_and_keeps_what_has_arrived(hub: Hub, tmp_path: Path) -> None:
    error = run_fetch(hub.address, tmp_path, [NETWORK], largest_file=1_000_000)["error"]
    assert error["kind"] == "OutputError"
    assert "full" in error["message"]
    assert tree(tmp_path)
    assert run_fetch(hub.address, tmp_path, [NETWORK])["files"]
    assert (tmp_path / FILE).read_bytes() == WEIGHTS


def test_a_file_that_is_gone_is_named(hub: Hub, tmp_path: Path) -> None:
    error = run_fetch(hub.address, tmp_path, [{"repository": "someone/model", "path": "Nano/other.pth"}])["error"]
    assert error["kind"] == "DownloadError"
    assert "Nano/other.pth" in error["message"]


def test_a_hub_that_is_not_there_is_named_with_the_way_around(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = run_fetch(f"http://127.0.0.1:{port}", tmp_path, [NETWORK])["error"]
    assert error["kind"] == "DownloadError"
    assert "could not be reached" in error["message"]
    assert "import" in error["remedy"]


def test_a_site_that_switched_downloads_off_keeps_them_off(hub: Hub, tmp_path: Path) -> None:
    error = run_fetch(hub.address, tmp_path, [NETWORK], environment={"HF_HUB_OFFLINE": "1"})["error"]
    assert error["kind"] == "DownloadError"
    assert hub.requests == []


def test_no_token_of_the_user_leaves_the_machine(hub: Hub, tmp_path: Path) -> None:
    seen = []
    answer_as_before = hub._answer

    def look(handler, body) -> None:
        seen.append(handler.headers.get("authorization"))
        answer_as_before(handler, body)

    hub._answer = look
    run_fetch(hub.address, tmp_path, [NETWORK], environment={"HF_TOKEN": "hf_secret"})
    assert seen
    assert set(seen) == {None}


@pytest.mark.parametrize("etag", [None, 'W/"3e8-5f2a"', '"5f2a-3e8"'])
def test_a_file_without_a_checksum_is_not_accepted_by_its_size(hub: Hub, tmp_path: Path, etag: str | None) -> None:
    hub.etag = etag
    answer = run_fetch(hub.address, tmp_path, [NETWORK])
    assert answer["error"]["kind"] == "DownloadError"
    assert "checksum" in answer["error"]["message"]
    assert tree(tmp_path) == {}


def test_a_weak_etag_that_is_a_checksum_is_checked(hub: Hub, tmp_path: Path) -> None:
    import hashlib

    hub.etag = f'W/"{hashlib.sha256(WEIGHTS).hexdigest()}"'
    assert run_fetch(hub.address, tmp_path, [NETWORK])["files"]
