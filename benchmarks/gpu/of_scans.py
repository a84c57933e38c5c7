"""Checks of whole runs: masks in company and against a CPU's, time cold and warm, and runs with too little memory."""

from __future__ import annotations

import contextlib
import csv
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import synthetic
import torch
from checking import NotRun, Setup, Targets
from torch.utils._python_dispatch import TorchDispatchMode

from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.inference.transfer import CudaLane, Transfer
from SATSegmentLib.resources import resource_path
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image, Prompt, SegmentResult

_HOST_BYTES = 1 << 36
_WARM_OVER_COLD = 0.01


def company(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """A prompt's mask alone and among others."""
    one, image = _segmenter(setup), _body(setup)
    count = setup.prompts[-1]
    asked = synthetic.queries(count)
    many = _run(one, image, asked)
    targets = Targets()
    targets.note(prompts=count, found=sum(result.voxels > 0 for result in many))
    for place in (0, count // 2, count - 1):
        alone = _run(one, image, asked[place : place + 1], place)
        targets.true(f"prompt {place + 1} is the same alone", _same(alone, many[place : place + 1]))
    again = _segmenter(setup)
    targets.true("a second run is the same", _same(_run(again, image, asked[:3]), many[:3]))
    return targets.result()


def copies(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """What goes through pinned buffers arrives whole beside other work; masks with features in memory."""
    targets = Targets()
    if setup.on_card:
        way = Transfer(CudaLane(setup.device))
        sources = [torch.randn(1, 64, 96, 288, 96).half().contiguous(memory_format=torch.channels_last_3d)] * 3
        sources = [source + number for number, source in enumerate(sources)]
        work = torch.randn(4096, 4096, device=setup.device)
        whole = True
        for number, source in enumerate(sources * 3):
            coming = way.upload(source)
            for _ in range(20):
                work = (work @ work).clamp_(-1, 1)
            there = coming.take() * 2
            whole &= torch.equal(way.download(there), source * 2)
            del there, coming
            targets.note(**{"rounds": number + 1})
        targets.true("all arrived whole", whole)
        started = time.perf_counter()
        for source in sources:
            way.upload(source).take()
        setup.wait()
        gigabytes = sum(source.nbytes for source in sources) / 1e9
        targets.note(**{"GB/s to the card": gigabytes / (time.perf_counter() - started)})
    one, image = _segmenter(setup), _body(setup)
    asked = synthetic.queries(setup.prompts[1])
    there = _run(one, image, asked)
    one.cache.use(0, _HOST_BYTES)  # all features to memory
    targets.true("features are in memory", one.cache.device_used == 0 < one.cache.memory_used)
    passed = one.windows(image, "ct")
    found = [passed.features(number).voxels.float().sum().item() for number in range(len(passed.boxes))]
    targets.true("features are numbers", all(map(math.isfinite, found)))
    plan = _Plans()
    elsewhere = _run(one, image, asked, on_plan=plan, device_bytes=0)
    targets.note(**{"features in": plan.last.features_in})
    targets.true("masks are the same", _same(there, elsewhere))
    return targets.result()


def head(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """The demonstration head: each precision's masks against those of a CPU in float32."""
    with resource_path("Demo/structures.tsv").open(encoding="utf-8") as file:
        names = [row["name"] for row in csv.DictReader(file, delimiter="\t")]
    prompts = [Prompt(name, "mri") for name in (names[2:4] if setup.small else names)]
    image = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    if setup.small:
        image = Image(np.ascontiguousarray(image.array[::2, ::2, ::2]), image.ijk_to_ras * [2, 2, 2, 1])
    expected = Segmenter.load("demo", device="cpu", precision="float32").segment(image, prompts)
    targets = Targets()
    for precision, least in (("float32", 0.999), ("float16", 0.99), ("bfloat16", 0.95)):
        if precision not in setup.precisions():
            continue
        ours = Segmenter.load("demo", device=str(setup.device), precision=precision).segment(image, prompts)
        agreement = [_dice(*pair) for pair in zip(ours, expected, strict=True)]
        targets.least(f"{precision} least Dice", min(agreement), least)
        targets.note(**{f"{precision} mean Dice": float(np.mean(agreement))})
    return targets.result()


def scan(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """Windows cold, and prompts on their features."""
    one, image = _segmenter(setup), _body(setup)
    targets = Targets()
    setup.fresh()
    asked = synthetic.queries(setup.prompts[-1])
    _run(one, image, asked[:1])  # libraries start, and the card wakes up
    one.cache.clear()
    plan = _Plans()
    cold = _seconds(setup, one, image, asked[:1], plan)
    targets.note(**{"cold ms": 1000 * cold, "features in": plan.last.features_in, "planned s": plan.last.seconds})
    for count in setup.prompts:
        _seconds(setup, one, image, asked[:count], plan)
        warm = min(_seconds(setup, one, image, asked[:count], plan) for _ in range(setup.rounds))
        targets.note(**{f"warm ms, {count} prompts": 1000 * warm})
        if count == 1:
            targets.most("second prompt over first", warm / cold, _WARM_OVER_COLD, setup.on_card)
    targets.note(**{"peak bytes": setup.peak(), "planned bytes": float(plan.last.peak_bytes)})
    return targets.result()


def ladder(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """Memory that runs out, at several places on purpose and for want of it: masks stay the same."""
    one, image = _segmenter(setup), _body(setup)
    asked = synthetic.queries(setup.prompts[1])[:4]
    expected = _cold(one, image, asked)
    targets = Targets()
    with _Fails(None) as counted:
        _cold(one, image, asked)
    # In the encoder, in the first look, while windows are added up.
    for share in (0.6, 0.8, 0.97):
        with _Fails(int(share * counted.count)), _said() as warned:
            found = _cold(one, image, asked)
        targets.true(f"{share:.0%} on: said", bool(warned))
        targets.least(f"{share:.0%} on: least Dice", _least_dice(found, expected), 0.999)
        if setup.small:
            break
    if setup.on_card:
        _real_ladder(setup, targets, one, image, asked, expected)
    return targets.result()


def cap_8(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """With 8 GB of the card."""
    return _capped(setup, 8)


def cap_6(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """With 6 GB of the card."""
    return _capped(setup, 6)


def _capped(setup: Setup, gigabytes: int) -> tuple[dict[str, Any], list[str]]:
    targets = Targets()
    for model in ("nano", "pro"):
        _capped_model(setup, targets, model, gigabytes)
    return targets.result()


def _capped_model(setup: Setup, targets: Targets, model: str, gigabytes: int) -> None:
    """A scan, alike with all of the card and with a share of it; of SAT-Pro a single window."""
    image = _body(setup) if model == "nano" else synthetic.body(setup.window)
    one = _segmenter(setup, model)
    asked = synthetic.queries(setup.prompts[1])[:4]
    expected = _cold(one, image, asked)
    one.cache.clear()
    plan = _Plans()
    limit = gigabytes * 1e9
    with _share(setup, limit), _said() as warned:
        setup.fresh()
        found = _cold(one, image, asked, plan)
        targets.most(f"{model} reserved bytes", _reserved(setup), limit)
    targets.note(**{f"{model} features in": plan.last.features_in, f"{model} steps": len(warned)})
    targets.least(f"{model} least Dice", _least_dice(found, expected), 0.999)


def _real_ladder(
    setup: Setup, targets: Targets, one: Segmenter, image: Image, asked: np.ndarray, expected: list[SegmentResult]
) -> None:
    """So little memory that maps cannot be whole: weights, one map and a half, and what lies beside them."""
    one.cache.clear()
    setup.fresh()
    weights = torch.cuda.memory_allocated(setup.device)
    one_map = 2 * one.network.architecture.channels * math.prod(setup.window)
    with _share(setup, weights + 1.5 * one_map + 5e8), _said() as warned:
        found = _cold(one, image, asked)
    targets.true("maps did not fit whole", any("smaller pieces" in text for text in warned))
    targets.note(**{"real steps": len(warned)})
    targets.least("real least Dice", _least_dice(found, expected), 0.999)


def _segmenter(setup: Setup, model: str = "nano") -> Segmenter:
    torch.manual_seed(0)
    made = SATNetwork(setup.spec(model), setup.window).eval().requires_grad_(False)
    cache = FeatureCache(_HOST_BYTES, 0)
    return synthetic.segmenter(synthetic.with_threshold(made), "auto", cache, str(setup.device))


def _body(setup: Setup) -> Image:
    return synthetic.body(synthetic.shape_of(setup.windows, setup.window))


def _run(
    one: Segmenter,
    image: Image,
    asked: np.ndarray,
    first: int = 0,
    on_plan: _Plans | None = None,
    device_bytes: int | None = None,
) -> list[SegmentResult]:
    """Queries that find something of the planted organs: number `first` and those that follow."""

    def planned(plan: RunPlan) -> None:
        if device_bytes is not None:
            one.cache.use(device_bytes, plan.memory_bytes)
        if on_plan is not None:
            on_plan(plan)

    if one.cache.device_used + one.cache.memory_used == 0:
        one.segment_queries(image, asked[:1], "ct", on_plan=planned)
        if one.cache.device_used or one.device.type == "cpu":
            synthetic.plant_organs(one, image)
    shifts = synthetic.organ_shifts(first + len(asked), one.network.architecture.channels)[first:]
    return one.segment_queries(image, asked, "ct", mask_embedding_offsets=shifts, on_plan=planned)


def _cold(one: Segmenter, image: Image, asked: np.ndarray, plan: _Plans | None = None) -> list[SegmentResult]:
    """With features that are made anew, in which nothing was planted: queries find something of half of the scan."""
    one.cache.clear()
    shifts = synthetic.organ_shifts(len(asked), one.network.architecture.channels)
    return one.segment_queries(image, asked, "ct", mask_embedding_offsets=shifts, on_plan=plan)


def _seconds(setup: Setup, one: Segmenter, image: Image, asked: np.ndarray, plan: _Plans) -> float:
    """Of a run with the features that are there."""
    shifts = synthetic.organ_shifts(len(asked), one.network.architecture.channels)
    setup.wait()
    started = time.perf_counter()
    one.segment_queries(image, asked, "ct", mask_embedding_offsets=shifts, on_plan=plan)
    setup.wait()
    return time.perf_counter() - started


def _same(ours: Sequence[SegmentResult], theirs: Sequence[SegmentResult]) -> bool:
    return all(np.array_equal(one.mask, other.mask) for one, other in zip(ours, theirs, strict=True))


def _dice(one: SegmentResult, other: SegmentResult) -> float:
    a, b = one.mask.astype(bool), other.mask.astype(bool)
    together = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / together if together else 1.0


def _least_dice(ours: Sequence[SegmentResult], theirs: Sequence[SegmentResult]) -> float:
    return min(_dice(*pair) for pair in zip(ours, theirs, strict=True))


class _Plans:
    """The plans that a run has told of."""

    def __init__(self) -> None:
        self.last: RunPlan

    def __call__(self, plan: RunPlan) -> None:
        self.last = plan


class _Fails(TorchDispatchMode):
    """Memory runs out in one operation, once; and how many there are."""

    def __init__(self, operation: int | None) -> None:
        super().__init__()
        self.count, self._operation = 0, operation

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        if self.count == self._operation:
            raise torch.OutOfMemoryError("CUDA out of memory, on purpose")
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def _said() -> Iterator[list[str]]:
    """The warnings that memory ran out."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
    texts += [str(one.message) for one in caught if "ran out of memory" in str(one.message)]


@contextlib.contextmanager
def _share(setup: Setup, limit: float) -> Iterator[None]:
    """At most so many bytes of the card for this process."""
    if not setup.on_card:
        yield
        return
    total = torch.cuda.get_device_properties(setup.device).total_memory
    if limit > total:
        raise NotRun(f"the card has {total / 1e9:.0f} GB")
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(limit / total, setup.device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, setup.device)


def _reserved(setup: Setup) -> float:
    return float(torch.cuda.max_memory_reserved(setup.device)) if setup.on_card else 0.0
