"""The worker gives what the engine gives, and whatever happens to it costs an error message and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import SATSegmentLib
from helpers.small_model import LABELS, headLikeImage, makeModel
from SATSegmentLib.engine.api import EngineError, RunListener, RunOptions, SegmentAnswer, SegmentRequest
from SATSegmentLib.engine.process import WorkerEngine
from SATSegmentLib.engine.transport.pipe import SCRATCH_PREFIX
from SATSegmentLib.errors import (
    Cancelled,
    DeviceError,
    ModelNotFound,
    PromptError,
    SATSegmentError,
    SATSegmentWarning,
    ScanError,
)
from SATSegmentLib.types import Image, Progress, Prompt

HEAD = [Prompt(text, modality) for text, modality in LABELS[:3]]
LIBRARY = Path(SATSegmentLib.__file__).parent.parent


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of our own, to see what is left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    # The one of the worker that all tests share goes with that worker.
    assert [path for path in folder.iterdir() if not path.name.startswith(SCRATCH_PREFIX)] == []


def ask(
    worker: WorkerEngine,
    image: Image,
    prompts: list[Prompt],
    model: str,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    **options: Any,
) -> SegmentAnswer:
    request = SegmentRequest.of(image, prompts, RunOptions(model, **options))
    return worker.segment(request, RunListener(progress, cancel))


def long_image() -> Image:
    """Several hundred windows of the small model: longer than any test waits."""
    image = headLikeImage()
    return Image(np.tile(image.array, (4, 7, 7)), image.ijk_to_ras)


def gone(pid: int, within: float = 5.0) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_the_answer_is_the_engines(worker: WorkerEngine, model: str) -> None:
    from SATSegmentLib.inference.segmenter import Segmenter

    image = headLikeImage()
    stages = []
    options = {"device": "cpu", "precision": "float32", "keep_probabilities": True}
    answer = ask(worker, image, HEAD, model, progress=stages.append, **options)
    expected = Segmenter.load(model, device="cpu", precision="float32").segment(image, HEAD, keep_probabilities=True)
    assert answer.model.name == "Tiny"
    assert len(answer.model.sha256) == 64
    for ours, theirs in zip(answer.results, expected, strict=True):
        for field in ("prompt", "status", "voxels", "cut_by", "orientation", "device", "precision"):
            assert getattr(ours, field) == getattr(theirs, field)
        assert ours.volume_ml == pytest.approx(theirs.volume_ml)
        assert ours.mean_probability == pytest.approx(theirs.mean_probability, abs=1e-6)
        np.testing.assert_array_equal(ours.mask, theirs.mask)
        np.testing.assert_array_equal(ours.probability.levels, theirs.probability.levels)
        assert ours.probability.offset == theirs.probability.offset
    assert any(result.voxels for result in answer.results)
    fractions = [progress.fraction for progress in stages]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_the_model_stays_warm_in_one_process(worker: WorkerEngine, model: str) -> None:
    ask(worker, headLikeImage(), HEAD[:1], model)
    first = worker.pid
    ask(worker, headLikeImage(), HEAD[1:2], model)
    assert worker.pid == first is not None


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"prompts": [Prompt("spleen", "ct")]}, PromptError),
        ({"prompts": []}, PromptError),
        ({"prompts": [HEAD[0], HEAD[0]]}, PromptError),
        ({"model": "no-such-model"}, ModelNotFound),
        ({"device": "cuda:7"}, DeviceError),
        ({"image": Image(np.zeros((8, 8, 8), np.float32), np.eye(4))}, ScanError),
    ],
)
def test_errors_keep_their_type_and_the_worker_goes_on(
    worker: WorkerEngine, model: str, change: dict, kind: type
) -> None:
    ask(worker, headLikeImage(), HEAD[:1], model)
    pid = worker.pid
    arguments = {"image": headLikeImage(), "prompts": HEAD[:1], "model": model, **change}
    with pytest.raises(kind) as caught, warnings.catch_warnings(action="ignore", category=SATSegmentWarning):
        ask(worker, **arguments)
    assert caught.value.message
    assert caught.value.remedy
    assert worker.pid == pid


def test_warnings_of_the_engine_arrive(worker: WorkerEngine, model: str) -> None:
    with pytest.warns(SATSegmentWarning, match=r"(?i)ct"):
        ask(worker, headLikeImage(), [Prompt("liver", "ct")], model)


def test_a_killed_run_is_a_clear_error_and_the_next_run_works(worker: WorkerEngine, model: str) -> None:
    ask(worker, headLikeImage(), HEAD[:1], model)
    pid = worker.pid

    def kill(progress) -> None:
        if 0 < progress.fraction < 1:
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(SATSegmentError, match="was ended") as caught:
        ask(worker, long_image(), HEAD, model, progress=kill)
    assert "Nothing was lost" in caught.value.message
    assert worker.pid is None
    assert ask(worker, headLikeImage(), HEAD[:1], model).results
    assert worker.pid not in (None, pid)


def test_a_worker_that_was_killed_between_runs_is_replaced_in_silence(worker: WorkerEngine, model: str) -> None:
    ask(worker, headLikeImage(), HEAD[:1], model)
    pid = worker.pid
    os.kill(pid, signal.SIGKILL)
    assert ask(worker, headLikeImage(), HEAD[:1], model).results
    assert worker.pid != pid


def test_cancel_is_heard_between_windows_and_keeps_the_model_warm(worker: WorkerEngine, model: str) -> None:
    ask(worker, headLikeImage(), HEAD[:1], model)
    pid = worker.pid
    fractions = []
    with pytest.raises(Cancelled):
        ask(
            worker,
            long_image(),
            HEAD,
            model,
            progress=lambda progress: fractions.append(progress.fraction),
            cancel=lambda: max(fractions, default=0) > 0,
        )
    assert max(fractions) < 0.5
    assert worker.pid == pid
    assert ask(worker, headLikeImage(), HEAD[:1], model).results


def test_cancel_is_heard_within_a_window_and_keeps_the_model_warm(worker: WorkerEngine, tmp_path: Path) -> None:
    """A window of several seconds: a worker that did not hear would be ended after a second and a half."""
    slow = str(makeModel(tmp_path, window=(192, 192, 96)))
    request = SegmentRequest.of(headLikeImage(), HEAD, RunOptions(slow, device="cpu", precision="float32"))
    planned: list[float] = []
    listener = RunListener(
        cancel=lambda: bool(planned) and time.monotonic() > planned[0] + 0.3,
        on_plan=lambda _: planned.append(time.monotonic()),
    )
    with pytest.raises(Cancelled):
        worker.segment(request, listener)
    pid = worker.pid
    assert pid is not None
    with pytest.raises(Cancelled):
        worker.segment(request, RunListener(cancel=lambda: True))
    assert worker.pid == pid


def test_cancel_ends_a_worker_that_does_not_hear(worker: WorkerEngine, model: str) -> None:
    ask(worker, headLikeImage(), HEAD[:1], model)
    pid = worker.pid
    asked = []

    def cancel() -> bool:
        if not asked:
            os.kill(pid, signal.SIGSTOP)  # it would never end by itself
            asked.append(pid)
        return True

    with pytest.raises(Cancelled):
        ask(worker, long_image(), HEAD, model, cancel=cancel)
    assert gone(pid)
    assert ask(worker, headLikeImage(), HEAD[:1], model).results


def test_a_worker_that_reads_nothing_holds_nobody(worker: WorkerEngine, model: str) -> None:
    """Its pipe is full: whoever wrote into it would wait for ever, deaf to a cancel."""
    ask(worker, headLikeImage(), HEAD[:1], model)
    pid = worker.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(Cancelled):
        worker.call("check_device", {"device": "cpu", "padding": "x" * 1_000_000}, RunListener(cancel=lambda: True))
    assert gone(pid)
    assert ask(worker, headLikeImage(), HEAD[:1], model).results


def test_a_process_that_the_worker_leaves_behind_holds_nobody(model: str, tmp_path: Path) -> None:
    """It has the worker's pipes open, so their end never comes."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, subprocess\n"
        "left = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        f"open({str(tmp_path / 'left')!r}, 'w').write(str(left.pid))\n"
    )
    worker = WorkerEngine(environment={**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"})
    killed: list[int] = []

    def kill(progress) -> None:
        if progress.fraction > 0 and not killed:
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)

    with pytest.raises(SATSegmentError, match="was ended"):
        ask(worker, long_image(), HEAD, model, progress=kill)
    left = int((tmp_path / "left").read_text())
    alive = not gone(left, within=0.1)
    os.kill(left, signal.SIGKILL)
    assert alive


def test_a_run_waits_a_moment_for_one_that_is_stopping_but_not_for_one_that_goes_on(
    worker: WorkerEngine, model: str
) -> None:
    ask(worker, headLikeImage(), HEAD[:1], model)
    stop, errors = threading.Event(), []

    def long_run() -> None:
        try:
            ask(worker, long_image(), HEAD, model, cancel=stop.is_set)
        except Cancelled as error:
            errors.append(error)

    other = threading.Thread(target=long_run)
    other.start()
    until = time.monotonic() + 60
    while not worker._busy.locked() and time.monotonic() < until:
        time.sleep(0.01)
    with pytest.raises(EngineError, match="already in progress"):
        ask(worker, headLikeImage(), HEAD[:1], model)
    stop.set()
    assert ask(worker, headLikeImage(), HEAD[:1], model).results
    other.join(10)
    assert len(errors) == 1


def test_a_callback_that_fails_stops_the_run(worker: WorkerEngine, model: str) -> None:
    ask(worker, headLikeImage(), HEAD[:1], model)
    pid = worker.pid

    def fail(progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(worker, long_image(), HEAD, model, progress=fail)
    assert gone(pid)


def test_the_worker_and_its_files_go_when_the_parent_is_killed(model: str, temporary: Path, tmp_path: Path) -> None:
    script = (
        "import sys, os\n"
        f"sys.path.insert(0, {str(LIBRARY)!r})\n"
        "import numpy as np\n"
        "from SATSegmentLib.engine.api import RunListener, RunOptions, SegmentRequest\n"
        "from SATSegmentLib.engine.process import WorkerEngine\n"
        "from SATSegmentLib.types import Image, Prompt\n"
        "worker = WorkerEngine()\n"
        "def begun(progress):\n"
        "    if progress.fraction > 0: print(worker.pid, flush=True)\n"
        f"image = Image(np.load({str(tmp_path / 'long.npy')!r}), np.eye(4))\n"
        f"request = SegmentRequest.of(image, [Prompt('left hippocampus', 'mri')], RunOptions({model!r}))\n"
        "worker.segment(request, RunListener(begun))\n"
    )
    np.save(tmp_path / "long.npy", long_image().array)
    environment = {**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment)
    pid = int(parent.stdout.readline())
    assert any(temporary.iterdir())
    parent.kill()
    parent.wait()
    assert gone(pid)


def test_what_the_worker_wrote_goes_with_it_and_what_libraries_print_does_not_disturb(
    model: str, temporary: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, threading, time\n"
        "def noise():\n"
        "    while True:\n"
        "        print('{\"noise\"', flush=True); os.write(1, b'more noise\\n'); time.sleep(0.01)\n"
        "threading.Thread(target=noise, daemon=True).start()\n"
    )
    worker = WorkerEngine(environment={**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"})
    # Room for one byte in memory: all features are spilled to disk.
    assert len(ask(worker, headLikeImage(), HEAD, model, cache_bytes=1).results) == 3
    assert "more noise" in worker.log
    spilled = [path for path in temporary.rglob("*.bin") if path.stat().st_size]
    assert spilled
    worker.close()
    assert not [path for path in spilled if path.exists()]
    assert not list(temporary.glob(f"{SCRATCH_PREFIX}*/*features*"))


def test_an_idle_worker_lets_the_model_go_and_comes_back_and_one_that_is_forgotten_goes(model: str) -> None:
    worker = WorkerEngine(environment={**os.environ, "OMP_NUM_THREADS": "1"}, idle_seconds=0.3)
    first = ask(worker, headLikeImage(), HEAD[:1], model)
    pid = worker.pid
    until = time.monotonic() + 60
    while not any("unloaded" in line for line in worker.log) and time.monotonic() < until:
        time.sleep(0.05)
    assert any("unloaded" in line for line in worker.log)
    again = ask(worker, headLikeImage(), HEAD[:1], model)
    assert worker.pid == pid
    np.testing.assert_array_equal(again.results[0].mask, first.results[0].mask)
    del worker
    assert gone(pid)


def test_a_later_prompt_or_threshold_finds_the_scans_features(worker: WorkerEngine, model: str) -> None:
    """What makes the threshold slider quick: the windows are not encoded again."""
    image = headLikeImage(64)
    voxels, to_encode = [], []
    for prompts, threshold in ((HEAD[:1], 0.5), (HEAD[:1], 0.6), (HEAD[1:2], 0.5), (HEAD[:1], 0.4)):
        request = SegmentRequest.of(image, prompts, RunOptions(model, device="cpu", threshold=threshold))
        plans = []
        voxels.append(worker.segment(request, RunListener(on_plan=plans.append)).results[0].voxels)
        to_encode.append(plans[0].to_encode)
    assert voxels[1] < voxels[0] < voxels[3]
    assert to_encode[0] > 0
    assert to_encode[1:] == [0, 0, 0]


def test_the_log_outlives_a_worker_that_crashed(model: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; print('last words', file=sys.stderr); sys.exit(3)\n")
    worker = WorkerEngine(environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    with pytest.raises(EngineError, match="exit code"):
        ask(worker, headLikeImage(), HEAD[:1], model)
    assert any("last words" in line for line in worker.log)


def test_a_python_without_torch_says_what_is_missing(tmp_path: Path, model: str) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    worker = WorkerEngine(environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    with pytest.raises(EngineError, match="torch is not installed"):
        ask(worker, headLikeImage(), HEAD[:1], model)
    worker.close()


def test_a_python_that_is_not_there_is_said() -> None:
    with pytest.raises(EngineError, match="cannot be started"):
        ask(WorkerEngine(python="no-such-python"), headLikeImage(), HEAD[:1], "demo")


def test_slicers_side_imports_no_torch() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(LIBRARY)!r}); import SATSegmentLib.engine.process; "
        "assert not {'torch', 'SimpleITK', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_models_that_are_tried_one_after_the_other_are_not_all_loaded(worker: WorkerEngine, model: str) -> None:
    before = len([line for line in worker.log if line.endswith("is ready.")])
    for _ in range(3):
        for precision in ("float32", "bfloat16"):
            worker.load_ahead(RunOptions(model, "cpu", precision))
    answer = ask(worker, headLikeImage(), HEAD, model, device="cpu", precision="float32")
    assert answer.results[0].precision == "float32"
    loaded = len([line for line in worker.log if line.endswith("is ready.")]) - before
    assert loaded <= 1, "none but what had begun"
    for _ in range(5):
        worker.load_ahead(RunOptions(model, "cpu", "float32"))
        time.sleep(0.05)
    assert worker._child.messages.qsize() < 5, "what is said of them is not kept until a run comes"
