"""A server gives what this computer gives: the same bits, progress, cancel and errors, and nothing is left of it."""

from __future__ import annotations

import dataclasses
import http.server
import inspect
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import SATSegmentLib
from helpers.local_server import ALICE, BOB, HEAD, OPTIONS, long_image, request
from helpers.small_model import headLikeImage
from SATSegmentLib import Segmenter
from SATSegmentLib.engine import messages
from SATSegmentLib.engine.api import EngineError, RunListener, SegmentAnswer, SegmentRequest, TeachRequest
from SATSegmentLib.engine.local import LocalEngine
from SATSegmentLib.engine.messages import VersionMismatch
from SATSegmentLib.engine.remote import RemoteEngine
from SATSegmentLib.engine.transport.wire import AccessDenied, ConnectionLost, LimitExceeded
from SATSegmentLib.errors import Cancelled, DeviceError, ModelNotFound, PromptError, SATSegmentWarning, ScanError
from SATSegmentLib.grid.digest import content_of
from SATSegmentLib.types import Example, Image, Prompt


@pytest.fixture(scope="module")
def local(models_folder: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine()
    yield engine
    engine.close()


def same(ours: SegmentAnswer, theirs: SegmentAnswer) -> None:
    assert ours.model == theirs.model
    for one, other in zip(ours.results, theirs.results, strict=True):
        for field in dataclasses.fields(one):
            if field.name not in ("cropped", "seconds"):
                assert getattr(one, field.name) == getattr(other, field.name), field.name
        np.testing.assert_array_equal(one.cropped.bits, other.cropped.bits)
        assert (one.cropped.offset, one.cropped.shape) == (other.cropped.offset, other.cropped.shape)


def in_order(image: Image, how: str) -> Image:
    array = {
        "C": image.array,
        "Fortran": np.asfortranarray(image.array),
        "strided": np.repeat(image.array, 2, axis=2)[:, :, ::2],
        "big-endian": image.array.round().astype(">i2"),
        "float64": image.array.astype(float),
    }[how]
    return Image(array, image.ijk_to_ras, unit="HU")


@pytest.mark.parametrize("how", ["C", "Fortran", "strided", "big-endian", "float64"])
def test_the_answer_is_the_local_engines_bit_by_bit(alice: RemoteEngine, local: LocalEngine, how: str) -> None:
    image = in_order(headLikeImage(), how)
    asked = request(image, windows="adaptive", overlap=0.25)
    ours, theirs = alice.segment(asked), local.segment(asked)
    assert any(result.voxels for result in ours.results)
    same(ours, theirs)


def test_progress_plan_and_warnings_come_on_the_way_and_in_the_thread_that_asked(alice: RemoteEngine) -> None:
    heard: list[tuple[str, object]] = []
    threads = set()

    def hear(kind: str):
        def tell(content: object) -> None:
            threads.add(threading.get_ident())
            heard.append((kind, content))

        return tell

    image = headLikeImage()
    shifted = Image(np.where(image.array == 0, -500, image.array).astype(np.float32), image.ijk_to_ras)
    alice.segment(request(shifted), RunListener(hear("progress"), None, hear("warning"), hear("plan")))
    fractions = [one.fraction for kind, one in heard if kind == "progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert [kind for kind, _ in heard].count("plan") == 1
    assert any("look like CT" in str(text) for kind, text in heard if kind == "warning")
    assert threads == {threading.get_ident()}


def test_structures_come_as_they_are_finished_and_are_those_of_the_answer(alice: RemoteEngine) -> None:
    found = []
    prompts = (HEAD[0], Prompt("liver", "ct"), HEAD[1])
    listener = RunListener(on_warning=lambda text: None, on_result=lambda *one: found.append(one))
    answer = alice.segment(request(prompts=prompts), listener)
    assert [index for index, _ in found] == [0, 2, 1]
    for index, early in found:
        np.testing.assert_array_equal(early.cropped.bits, answer.results[index].cropped.bits)
        assert early.cropped.offset == answer.results[index].cropped.offset


def test_a_label_that_the_model_does_not_know_is_unknown_through_both_doors(
    running, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Python here and on a server; where it knows none of them, both refuse."""
    image, prompts = headLikeImage(), [HEAD[0], Prompt("spleen", "mri"), HEAD[1]]
    with Segmenter.connect(running.url, token=ALICE, model="tiny") as there:
        doors = (Segmenter.load(models_folder / "tiny", device="cpu"), there)
        asked_of = [list(inspect.signature(type(one).segment).parameters) for one in doors]
        assert asked_of[0] == asked_of[1]
        for segmenter in doors:
            places: list[int] = []
            with pytest.warns(SATSegmentWarning, match="not trained on spleen"):
                results = segmenter.segment(image, prompts, on_result=lambda number, _, to=places: to.append(number))
            assert [one.prompt.text for one in results] == [one.text for one in prompts]
            assert [one.status == "unknown" for one in results] == [False, True, False]
            assert sorted(places) == [0, 2]
            with pytest.raises(PromptError, match="does not know"):
                segmenter.segment(image, prompts[1:2])


def test_a_later_prompt_finds_the_features_and_sends_nothing_again(alice: RemoteEngine, running) -> None:
    image = Image(headLikeImage().array + np.float32(1), headLikeImage().ijk_to_ras)
    first = alice.plan(request(image))
    assert first.to_encode > 0
    received = running.service.metrics.received._value.get()
    alice.segment(request(image, HEAD[:1]))
    plans, stages = [], []
    listener = RunListener(progress=lambda one: stages.append(one.stage), on_plan=plans.append)
    alice.segment(request(image, HEAD[1:]), listener)
    assert plans[0].to_encode == 0
    assert running.service.metrics.received._value.get() == received
    assert not any("sending" in stage for stage in stages)


def test_another_threshold_needs_no_second_look(alice: RemoteEngine, local: LocalEngine) -> None:
    alice.segment(request())
    plans = []
    ours = alice.segment(request(threshold=0.4), RunListener(on_plan=plans.append))
    assert plans[0].to_encode == 0
    same(ours, local.segment(request(threshold=0.4)))


@pytest.mark.long
def test_a_word_taught_on_a_server_is_known_there(alice: RemoteEngine, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    from SATSegmentLib.anatomy.personal.user_words import save_word

    image = headLikeImage()
    mask = np.zeros(image.array.shape, bool)
    mask[10:25, 12:28, 14:30] = True
    answer = alice.teach(TeachRequest((Example(image, mask),), "my implant", "mri", "RAS", OPTIONS))
    word = save_word(answer.word)
    assert word.record.name == "my implant"
    (result,) = alice.segment(SegmentRequest.of(image, word.record.prompt(), OPTIONS)).results
    assert result.voxels > 0


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"prompts": (Prompt("spleen", "ct"),)}, PromptError),
        ({"prompts": ()}, PromptError),
        ({"prompts": (HEAD[0], HEAD[0])}, PromptError),
        ({"model": "no-such-model"}, ModelNotFound),
        ({"model": "../tiny"}, ModelNotFound),
        ({"model": "/etc"}, ModelNotFound),
        ({"device": "cuda:7"}, DeviceError),
        ({"image": Image(np.zeros((8, 8, 8), np.float32), np.eye(4))}, ScanError),
        ({"image": Image(np.zeros((500, 500, 500), np.uint8), np.eye(4))}, LimitExceeded),
        ({"prompts": tuple(Prompt(f"structure {n}", "mri", trained=False) for n in range(21))}, LimitExceeded),
    ],
)
def test_errors_keep_their_type(alice: RemoteEngine, change: dict, kind: type) -> None:
    with pytest.raises(kind) as caught:
        alice.segment(request(**change))
    assert caught.value.message
    assert alice.segment(request()).results


def test_a_folder_of_this_computer_is_never_opened_there(alice: RemoteEngine, models_folder: Path) -> None:
    with pytest.raises(ModelNotFound, match="The server has no model"):
        alice.segment(request(model=str(models_folder / "tiny")))


def test_a_cancel_is_heard_and_the_next_run_is_not_refused(alice: RemoteEngine) -> None:
    for _ in range(2):
        seen: list[float] = []
        listener = RunListener(
            progress=lambda one, seen=seen: seen.append(one.fraction), cancel=lambda seen=seen: len(seen) > 3
        )
        with pytest.raises(Cancelled):
            alice.segment(request(long_image()), listener)
        assert max(seen) < 0.5  # not at the end of the run
        assert alice.segment(request()).results


def test_what_fails_in_a_callback_ends_the_run(alice: RemoteEngine, running) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        alice.segment(request(long_image()), RunListener(progress=fail))
    assert alice.segment(request()).results
    assert running.service.runs.open_runs("alice") == 0


@pytest.mark.parametrize("token", ["", "wrong-token-0123456789", BOB[:-1], BOB + "x", "ä" * 20])
def test_a_wrong_token_is_told_apart_from_a_lost_connection(running, token: str) -> None:
    engine = RemoteEngine(running.url, token)
    stages: list[str] = []
    with pytest.raises(AccessDenied, match="token"):
        engine.segment(request(), RunListener(progress=lambda one: stages.append(one.stage)))
    assert not any("trying again" in stage for stage in stages)


@pytest.mark.parametrize("token", ["secret\nsecret", "secret secret", "secret\x00", "секретный", "secret\u2026"])
@pytest.mark.parametrize("way", ["given", "environment", "file"])
def test_a_token_that_cannot_be_sent_is_said_and_not_shown(running, monkeypatch, tmp_path, capsys, token, way) -> None:
    from cohort.test_cohort import write_scan

    from SATSegmentLib.cli import main

    if way == "given":
        with pytest.raises(EngineError, match=r"[Tt]oken") as caught:
            RemoteEngine(running.url, token)
        said = str(caught.value)
    else:
        scan = str(write_scan(tmp_path / "scan.nii.gz", 0))
        words = ["segment", scan, "--modality", "mri", "--prompt", "brainstem", "--server", running.url]
        if way == "file":
            (tmp_path / "file").write_text(token, encoding="utf-8")
            words += ["--token-file", str(tmp_path / "file")]
        elif "\x00" in token:
            pytest.skip("no environment holds this")
        else:
            monkeypatch.setenv("SATSEGMENT_TOKEN", token)
        assert main([*words, "--out", str(tmp_path / "out.seg.nrrd")]) == 2
        said = capsys.readouterr().err
    assert "oken" in said
    assert token.split()[0].strip("\x00\u2026") not in said


@pytest.mark.parametrize("options", [{"overlap": float("nan")}, {"overlap": 1.0}, {"windows": "x"}, {"overlap": "a"}])
def test_windows_that_cannot_be_are_refused_as_here(alice: RemoteEngine, local: LocalEngine, options: dict) -> None:
    said = []
    for engine in (alice, local):
        with pytest.raises(DeviceError) as caught:
            engine.segment(request(**options))
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_a_number_that_json_does_not_have_is_no_lost_connection(alice: RemoteEngine) -> None:
    with pytest.raises(EngineError, match="not a number") as caught:
        alice.connection.json("POST", "/v1/lease", json={"scans": [float("nan")]})
    assert not isinstance(caught.value, ConnectionLost)


def test_numbers_of_numpy_are_sent_as_numbers(alice: RemoteEngine) -> None:
    assert alice.segment(request(threshold=np.float32(0.5), overlap=np.float32(0.25))).results


def test_a_server_that_is_not_there_is_said(running) -> None:
    for path in ("/foo", "/v1"):
        with pytest.raises(EngineError, match="not a SATSegment server"):
            RemoteEngine(running.url + path, ALICE).hello()
    with pytest.raises(ConnectionLost, match="cannot be reached"):
        RemoteEngine("http://127.0.0.1:9", ALICE).hello()
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(EngineError, match="not a SATSegment server"):
            RemoteEngine(f"http://127.0.0.1:{other.server_port}", ALICE).hello()
        other.shutdown()
    with pytest.raises(EngineError, match="not the address"):
        RemoteEngine("gpu-box:8765", ALICE)


def test_another_version_says_which_is_older_and_what_it_lacks(running, alice: RemoteEngine, monkeypatch) -> None:
    theirs = messages.PROTOCOL
    monkeypatch.setattr(messages, "PROTOCOL", 1)
    with pytest.raises(VersionMismatch, match=rf"version {theirs} .* version 1: new is engines on a server") as caught:
        alice.segment(request())
    assert caught.value.remedy == "Update this program, and restart it."


def test_the_scan_of_one_user_is_not_another_users(alice: RemoteEngine, bob: RemoteEngine, running) -> None:
    import requests

    alice.segment(request())
    (digest,) = alice._kept
    headers = {"Authorization": f"Bearer {BOB}", "SATSegment-Protocol": str(messages.PROTOCOL)}
    answer = requests.post(
        f"{running.url}/v1/scans/{digest}/runs",
        json={"kind": "segment", "key": "12345678", "prompts": [{"text": "brainstem", "modality": "mri"}]},
        headers=headers,
        timeout=10,
    )
    assert answer.status_code == 404
    assert bob.segment(request()).results


def test_a_scan_that_was_damaged_on_the_way_is_sent_again(alice: RemoteEngine, local: LocalEngine, monkeypatch) -> None:
    image, sent = headLikeImage(26), []

    def spoiled_once(array: np.ndarray) -> memoryview:
        sent.append(array)
        return content_of(array + 1 if len(sent) == 1 else array)

    monkeypatch.setattr("SATSegmentLib.engine.transport.upload.content_of", spoiled_once)
    answer = alice.segment(request(image))
    assert len(sent) == 2
    same(answer, local.segment(request(image)))


def test_a_scan_leaves_with_its_client(running) -> None:
    engine = RemoteEngine(running.url, ALICE)
    engine.segment(request())
    assert len(running.service.scans) >= 1
    engine.close()
    assert running.service.scans.renew("alice", engine._kept) == []
    assert not [run for run in running.service.runs.select(lambda one: one.user == "alice")]


def test_a_client_that_ends_takes_no_scan_from_a_run_of_the_same_users_other_client(running, alice) -> None:
    other = RemoteEngine(running.url, ALICE)
    image = headLikeImage(37)
    other.segment(request(image, HEAD[:1]))
    alice.prepare(request(image))
    (digest,) = alice._kept
    answer = alice.segment(request(image), RunListener(on_plan=lambda plan: other.close()))
    assert len(answer.results) == len(HEAD)
    assert running.service.scans.renew("alice", [digest]) == []  # gone with the last run on it
    # The one that still counts on it sends it again, and nobody sees that.
    assert alice.segment(request(image)).results
    alice.close()
    assert running.service.scans.renew("alice", [digest]) == []


def test_what_asks_a_server_needs_neither_torch_nor_a_server(running, tmp_path: Path) -> None:
    """In a process where these cannot be imported."""
    np.save(tmp_path / "head.npy", headLikeImage().array)
    program = f"""
import sys
class Never:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{"torch", "transformers", "fastapi", "uvicorn", "starlette", "pydantic"}}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Never())
import numpy as np
from SATSegmentLib import Image, Segmenter
with Segmenter.connect({running.url!r}, model="tiny", precision="float32") as segmenter:
    array = np.load({str(tmp_path / "head.npy")!r})
    affine = np.diag([1.5, 1.4, 2.0, 1.0])
    (result,) = segmenter.segment(Image(array, affine), "left hippocampus", modality="mri")
    print(result.status, result.voxels)
try:
    Segmenter.load("demo")
except Exception as error:
    print(type(error).__name__, error)
"""
    path = str(Path(SATSegmentLib.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": path, "SATSEGMENT_TOKEN": ALICE}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("found")
    assert "PyTorch" in second


def test_plain_http_to_another_computer_is_warned_of() -> None:
    with pytest.warns(SATSegmentWarning, match="without encryption"):
        RemoteEngine("http://gpu-box.example:8765", ALICE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RemoteEngine("https://gpu-box.example:8765", ALICE)


def test_a_cohort_on_a_server_has_the_servers_masks_and_leaves_no_scan_there(
    running, alice: RemoteEngine, tmp_path: Path, monkeypatch
) -> None:
    from cohort.test_cohort import table, write_scan

    from SATSegmentLib.cli import main
    from SATSegmentLib.scans import read_scan

    monkeypatch.setenv("SATSEGMENT_TOKEN", ALICE)
    before = len(running.service.scans)
    scans = [write_scan(tmp_path / "scans" / f"s{number}.nii.gz", number) for number in range(2)]
    words = ["cohort", str(tmp_path / "scans"), "--modality", "mri", "--model", "tiny", "--prompt", HEAD[0].text]
    words += ["--device", "cpu", "--precision", "float32"]
    assert main([*words, "--server", running.url, "--out", str(tmp_path / "out")]) == 0
    assert len(running.service.scans) == before
    rows = table(tmp_path / "out")
    for scan, row in zip(scans, rows, strict=True):
        (expected,) = alice.segment(request(read_scan(scan), HEAD[:1])).results
        assert expected.voxels > 0
        assert float(row["volume_ml"]) == pytest.approx(expected.volume_ml, abs=1e-4)
    # Where nobody answers no scan is to blame.
    assert main([*words, "--server", "http://127.0.0.1:9", "--out", str(tmp_path / "none")]) == 2
    assert not list((tmp_path / "none").glob("scans/*"))
