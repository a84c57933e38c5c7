"""What is said before a run is what the run then does and takes."""

from __future__ import annotations

import math
import re
import time
from itertools import pairwise

import numpy as np
import pytest
import torch

from helpers.live_bytes import LiveBytes
from helpers.models import queries, tiny_segmenter
from helpers.seeded import GOLDEN
from SATSegmentLib.errors import SATSegmentWarning
from SATSegmentLib.inference import plan as planning
from SATSegmentLib.inference import speed
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.plan import PassSize, RunPlan, plan_precision, plan_run
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.inference.speed import Speed
from SATSegmentLib.models.folder import ModelDescription
from SATSegmentLib.sat.backbones.umamba.spec import UMambaSpec
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image

GB = 10**9
SPEED = Speed(encode_macs=1e11, window=1e-3, prompt=1e-3, voxel=1e-8, voxel_and_prompt=1e-9)


def network(width: int, window: tuple[int, int, int], convs: int = 2) -> SATNetwork:
    torch.manual_seed(0)
    architecture = UNetSpec(
        features=(width, width, 2 * width, 4 * width),
        strides=((1, 1, 1), *[(2, 2, 2)] * 3),
        encoder_convs=(convs,) * 4,
        decoder_convs=(convs,) * 3,
        query_dim=48,
        projection_dim=48,
        decoder_layers=2,
        feedforward_dim=64,
        mask_dim=32,
    )
    return SATNetwork(architecture, window).eval().requires_grad_(False)


def noise(*shape: int) -> Image:
    return Image(np.random.default_rng(0).normal(100, 30, shape).astype(np.float32), np.diag((1.0, 1.0, 3.0, 1.0)))


def size(windows: int = 8, prompts: int = 16, to_encode: int | None = None) -> PassSize:
    voxels = 288 * 288 * 96
    return PassSize(
        windows=windows,
        least_windows=windows,
        to_encode=windows if to_encode is None else to_encode,
        window_voxels=windows * voxels,
        looked_voxels=windows * voxels * 2 // 3,
        grid_voxels=windows * voxels // 2,
        prompts=prompts,
    )


@pytest.fixture(scope="module")
def nano() -> SATNetwork:
    return network(64, (288, 288, 96)).to(torch.bfloat16)


def free(monkeypatch: pytest.MonkeyPatch, gigabytes: float) -> None:
    monkeypatch.setattr(planning, "_free_bytes", lambda _: int(gigabytes * GB))


def test_features_go_where_there_is_room(monkeypatch, nano):
    free(monkeypatch, 64)
    assert plan_run(nano, [size()], FeatureCache(20 * GB, 0), SPEED).features_in == "memory"
    assert plan_run(nano, [size()], FeatureCache(2 * GB, 20 * GB), SPEED).features_in == "memory and disk"
    assert plan_run(nano, [size()], FeatureCache(2 * GB, 0), SPEED).features_in == "nowhere"
    # The budget is an upper limit: what is free now decides too.
    free(monkeypatch, 8)
    tight = plan_run(nano, [size()], FeatureCache(20 * GB, 20 * GB), SPEED)
    assert tight.features_in == "memory and disk"
    assert tight.memory_bytes < 8 * GB
    assert tight.fits
    assert "available" not in str(tight)
    free(monkeypatch, 1)
    short = plan_run(nano, [size()], FeatureCache(20 * GB, 20 * GB), SPEED)
    assert not short.fits
    assert "of memory (only 1.1 GB available)" in str(short)


@pytest.mark.parametrize(
    ("device", "precision", "advice"),
    [
        ("cpu", "float32", r"the computer has 1.0 GB .* system may end it.*choose bfloat16.*SAT-Nano.*let a server"),
        ("cpu", "bfloat16", r"Close other programs, use SAT-Nano"),
        ("cuda:1", "float32", r"the GPU \(cuda:1\) has 1.0 GB .* may run out.*choose float16.*on the CPU"),
    ],
)
def test_what_does_not_fit_is_said_with_the_next_step(device, precision, advice):
    plan = RunPlan(device, precision, 8, 8, 8, 5, 5, 1 << 20, GB, "memory", 0, GB, 3 * GB, GB, False, 1.0)
    assert re.search(rf"needs about 3.0 GB .*{advice}", plan.shortage())


def test_a_run_that_does_not_fit_is_warned_of_before_it_starts_and_tried(monkeypatch):
    segmenter, scan = tiny_segmenter(cache=FeatureCache(0, 0)), read_scan(GOLDEN / "oblique.nii.gz")
    (expected,) = segmenter.segment_queries(scan, queries(1), "ct")
    free(monkeypatch, 0)
    told: list[str] = []
    with pytest.warns(SATSegmentWarning, match="needs about .* of memory, and the computer has"):
        (result,) = segmenter.segment_queries(scan, queries(1), "ct", on_plan=lambda plan: told.append(str(plan)))
    assert "available" in told[0]
    np.testing.assert_array_equal(result.mask, expected.mask)


def test_seconds_grow_with_windows_and_prompts_and_a_warm_run_is_short(monkeypatch, nano):
    free(monkeypatch, 64)
    cache = FeatureCache(60 * GB, 0)

    def seconds(**sizes: int) -> float:
        return plan_run(nano, [size(**sizes)], cache, SPEED).seconds

    assert seconds(windows=16) == pytest.approx(2 * seconds(windows=8), rel=0.01)
    assert seconds(prompts=1, to_encode=0) < seconds(prompts=306, to_encode=0) < seconds(prompts=1)


def test_features_on_disk_are_planned_to_take_longer(monkeypatch, nano):
    free(monkeypatch, 64)
    memory, disk = (
        plan_run(nano, [size(prompts=1, to_encode=0)], cache, SPEED).seconds
        for cache in (FeatureCache(60 * GB, 0), FeatureCache(0, 60 * GB))
    )
    assert 1.5 * memory < disk < 10 * memory


def test_what_cannot_be_kept_is_planned_to_be_encoded_twice(monkeypatch, nano):
    free(monkeypatch, 64)
    kept = plan_run(nano, [size(prompts=306)], FeatureCache(60 * GB, 0), SPEED)
    lost = plan_run(nano, [size(prompts=306)], FeatureCache(0, 0), SPEED)
    assert not lost.keeps_features
    assert lost.seconds > 1.7 * kept.seconds


def test_auto_precision_halves_memory_where_full_precision_does_not_fit(monkeypatch):
    cpu, small = torch.device("cpu"), network(8, (96, 96, 96))
    free(monkeypatch, 4)
    assert plan_precision("auto", cpu, small) == torch.float32
    free(monkeypatch, 0.001)
    assert plan_precision("auto", cpu, small) == torch.bfloat16
    assert plan_precision("float32", cpu, small) == torch.float32


def test_auto_precision_halves_memory_for_a_umamba_on_any_device(monkeypatch):
    head = {"query_dim": 48, "projection_dim": 48, "decoder_layers": 1, "feedforward_dim": 64, "mask_dim": 32}
    spec = UMambaSpec(features=(8, 8), strides=((1, 1, 1), (2, 2, 2)), mamba_layers=1, **head)
    umamba = SATNetwork(spec, (96, 96, 96))
    for device, half in ((torch.device("cpu"), torch.bfloat16), (torch.device("cuda:0"), torch.float16)):
        free(monkeypatch, 64)
        assert plan_precision("auto", device, umamba) == torch.float32
        free(monkeypatch, 0.001)
        assert plan_precision("auto", device, umamba) == half
        assert plan_precision("float32", device, umamba) == torch.float32


def test_ladder_leaves_the_device_then_halves_prompts_and_ends():
    first = RunPlan("cuda:0", "float16", 8, 8, 8, 5, 5, 1 << 20, GB, "device", GB, GB, GB, GB, False, 1.0)
    steps = [first]
    while (following := steps[-1].smaller()) is not None:
        steps.append(following)
    assert [(step.features_in, step.in_slabs, step.prompt_block) for step in steps] == [
        ("device", False, 5),
        ("memory", False, 5),
        ("memory", True, 5),
        ("memory", True, 3),
        ("memory", True, 2),
        ("memory", True, 1),
    ]
    assert [later.instead_of(earlier) for earlier, later in pairwise(steps)] == [
        "Continuing with image features in the computer's memory.",
        "Continuing with each window in smaller pieces.",
        "Continuing with 3 structures at a time.",
        "Continuing with 2 structures at a time.",
        "Continuing with 1 structure at a time.",
    ]
    assert {step.device for step in steps} == {"cuda:0"}
    assert {step.precision for step in steps} == {"float16"}


def test_plan_names_what_the_run_does():
    seen: list[RunPlan] = []
    segmenter = tiny_segmenter()
    scan = read_scan(GOLDEN / "oblique.nii.gz")
    segmenter.segment_queries(scan, queries(3), "ct", on_plan=seen.append)
    segmenter.segment_queries(scan, queries(2), "ct", on_plan=seen.append)
    cold, warm = seen
    assert (cold.windows, cold.to_encode, cold.prompts) == (4, 4, 3)
    assert (warm.windows, warm.to_encode, warm.prompts) == (4, 0, 2)
    assert cold.feature_bytes == segmenter.cache.memory_used
    assert "3 structures, 4 windows (4 to encode) on cpu in float32" in str(cold)
    assert warm.seconds < cold.seconds


@pytest.mark.parametrize(
    ("width", "window", "convs", "precision"),
    [
        (16, (64, 48, 48), 2, "float32"),
        pytest.param(32, (64, 96, 32), 3, "float32", marks=pytest.mark.long),
        pytest.param(24, (96, 96, 32), 2, "bfloat16", marks=pytest.mark.long),
    ],
)
def test_planned_bytes_are_right_within_a_factor_of_one_and_a_half(width, window, convs, precision):
    made = network(width, window, convs)
    image = noise(*(2 * side * 2 // 3 for side in reversed(window)))
    segmenter = Segmenter(made, ModelDescription("small", window), device="cpu", precision=precision)
    seen: list[RunPlan] = []
    with LiveBytes([*made.state_dict().values(), made.position_code]) as live:
        segmenter.segment_queries(image, queries(4), "mri", on_plan=seen.append)
    assert live.peak / 1.5 <= seen[0].peak_bytes <= 1.5 * live.peak


@pytest.mark.long  # benchmarks/bench_plan.py prints the ratios
def test_planned_seconds_are_right_within_a_factor_of_one_and_a_half(monkeypatch):
    # Processor time on one thread: what others do on this machine is not planned for.
    monkeypatch.setattr(time, "perf_counter", time.process_time)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ratios = []
        for _ in range(3):
            made = network(32, (96, 96, 64))
            segmenter = Segmenter(made, ModelDescription("small", made.window), device="cpu", precision="float32")
            seen: list[RunPlan] = []
            segmenter.segment_queries(noise(24, 48, 48), queries(1), "mri")  # the machine's rate; the libraries' start
            started = time.process_time()
            segmenter.segment_queries(noise(64, 96, 144), queries(4), "mri", on_plan=seen.append)
            ratios.append(seen[0].seconds / (time.process_time() - started))
    finally:
        torch.set_num_threads(threads)
    assert 1 / 1.5 <= sorted(ratios)[1] <= 1.5, ratios


def test_speed_is_measured_on_a_piece_and_learned_from_the_run():
    made = network(16, (64, 64, 32))
    measured = speed.measure_speed(made)
    assert all(math.isfinite(value) and value >= 0 for value in vars(measured).values())
    assert measured.encode_macs > 0
    learned = measured.after_encoding(made, windows=2, seconds=4.0)
    assert learned.encode_macs == pytest.approx(made.architecture.encode_macs(made.window) / 2)
