"""`satsegment demo`: the embedded model on a real head it has never seen, judged and drawn; a CT for the geometry."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.types import Image, Prompt, SegmentResult

if TYPE_CHECKING:
    from SATSegmentLib.inference.progress import ProgressCallback
    from SATSegmentLib.inference.segmenter import Segmenter

_NOTE = (
    "Demonstration model: a small network trained on three heads with silver-standard labels (SAMSEG). "
    "It is not SAT and not of SAT's quality. Research use only; not a medical device."
)

# A wording that no list holds: it goes through the text encoder, and should find what the label finds.
_LEAST_DICE = 0.75
_IN_OTHER_WORDS = ("the patient's hippocampus on the left", "left hippocampus")

# Random queries rarely reach a probability of one half; what is looked at is where their masks lie, so less will do.
_RANDOM_QUERIES = 8
_RANDOM_THRESHOLD = 0.01

# Drawn from large to small, so that nothing is hidden. Unions of these (basal ganglia, ...) are not drawn.
_DRAWN = (
    "brain",
    "white matter",
    "grey matter",
    *(
        f"{side} {name}"
        for name in (
            "cerebellum",
            "thalamus",
            "putamen",
            "pallidum",
            "caudate nucleus",
            "lateral ventricle excluding temporal horn",
            "hippocampus",
            "amygdala",
            "nucleus accumbens",
        )
        for side in ("left", "right")
    ),
    "third ventricle",
    "brainstem",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment demo --out demo",
        notes=(
            "Writes brain.seg.nrrd (opens in 3D Slicer) and brain.png. The head is held out from the model's training; "
            f"its reference labels are SAMSEG's. {_NOTE}",
        ),
        codes={1: "cancelled; files that are finished stay"},
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="FOLDER", help="folder to write to (default: demo)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default: auto)")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration; returns the exit code."""
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.inference.segmenter import Segmenter
    from SATSegmentLib.resources import resource_path
    from SATSegmentLib.scans import read_scan
    from SATSegmentLib.storage import write_segmentation

    segmentation, picture = (arguments.out.expanduser() / name for name in ("brain.seg.nrrd", "brain.png"))
    _prepare_folder(segmentation, picture, arguments.overwrite)
    started = time.perf_counter()
    segmenter = Segmenter.load("demo", arguments.device)
    head = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    reference = reference_masks(read_scan(resource_path("Demo/itk_t1_samseg.nii.gz")))
    print(_NOTE, end="\n\n")
    with progress_bar("Segmenting the head") as progress:
        before = time.perf_counter()
        results = segmenter.segment(head, [Prompt(name, "mri") for name in reference], progress=progress)
        took = time.perf_counter() - before
    scores = [dice(result.whole_mask(head.array.shape), reference[result.prompt.text]) for result in results]
    arguments.answer = {
        "files": [str(segmentation), str(picture)],
        "dice": {one.prompt.text: round(float(score), 4) for one, score in zip(results, scores, strict=True)},
    }
    print_table(results, scores)
    print(f"\nHead scan: {len(results)} prompts in {took:.1f} s on {segmenter.device}, {segmenter.precision}.")
    print(f"Mean Dice against SAMSEG's labels over {len(scores)} structures: {np.mean(scores):.3f}\n")
    _check_agreement(scores)
    by_name = {result.prompt.text: result for result in results}
    print(_in_other_words(segmenter, head, by_name[_IN_OTHER_WORDS[1]]), end="\n\n")
    write_segmentation(segmentation, head, results, algorithm=segmenter.description.name, overwrite=arguments.overwrite)
    _draw(
        picture,
        head,
        [by_name[name] for name in _DRAWN if name in by_name],
        float(np.mean(scores)),
        arguments.overwrite,
    )
    print(_check_ct(segmenter, read_scan(resource_path("Demo/CTChest4.nrrd"))))
    print(f"\n{segmentation}: open it in 3D Slicer\n{picture}")
    print(f"Done in {time.perf_counter() - started:.0f} s.")
    return 0


def reference_masks(labels: Image) -> dict[str, np.ndarray]:
    """Reference mask (KJI bool) of each structure that the model knows, by SAT's name."""
    from SATSegmentLib.resources import resource_path

    with resource_path("Demo/structures.tsv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["offered"] == "1"]
    return {row["name"]: np.isin(labels.array, [int(n) for n in row["samseg_labels"].split(",")]) for row in rows}


def dice(mask: np.ndarray, reference: np.ndarray) -> float:
    """Dice's coefficient of two bool masks; 1 where both are empty."""
    total = int(mask.sum()) + int(reference.sum())
    return 2 * int((mask & reference).sum()) / total if total else 1.0


def print_table(results: Sequence[SegmentResult], scores: Sequence[float]) -> None:
    """Prompt, status, volume, Dice and seconds of each result."""
    width = max(len(result.prompt.text) for result in results)
    print(f"{'prompt':<{width}}  status        mL   Dice  seconds")
    for result, score in zip(results, scores, strict=True):
        numbers = f"{result.volume_ml:8.1f}  {score:5.2f}  {result.seconds:7.2f}"
        print(f"{result.prompt.text:<{width}}  {result.status:<6}  {numbers}")


def _prepare_folder(segmentation: Path, picture: Path, overwrite: bool) -> None:
    from SATSegmentLib.errors import OutputError

    for target in (segmentation, picture):
        if target.exists() and not overwrite:
            raise OutputError(f"{target} already exists.", "Choose another folder with --out, or add --overwrite.")
    try:
        segmentation.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {segmentation.parent} cannot be made: {error.strerror}.", "Choose another one with --out."
        ) from error


def _in_other_words(segmenter: Segmenter, head: Image, label: SegmentResult) -> str:
    """How free text fares against the label that it means; the features are there already, so only words are new."""
    if importlib.util.find_spec("transformers") is None:
        return "Free text needs the package transformers (pip install transformers); labels do not."
    text = _IN_OTHER_WORDS[0]
    before = time.perf_counter()
    [result] = segmenter.segment(head, [Prompt(text, "mri", trained=False)])
    took = time.perf_counter() - before
    agreement = dice(*(one.whole_mask(head.array.shape) for one in (result, label)))
    return f'Free text "{text}": Dice {agreement:.2f} to "{label.prompt.text}", {took:.1f} s from the kept features.'


def _draw(path: Path, head: Image, results: Sequence[SegmentResult], mean_dice: float, overwrite: bool) -> None:
    from SATSegmentLib.storage.picture import draw_picture

    draw_picture(
        path,
        head,
        results,
        centre="left putamen",
        shell="brain",
        flat=("white matter", "grey matter"),
        title=f"Segmented by name on a head the model has never seen (mean Dice {mean_dice:.2f} to SAMSEG)",
        subtitle=_NOTE,
        overwrite=overwrite,
    )


def _check_agreement(scores: Sequence[float]) -> None:
    """The masks lie on the head: the model reaches 0.82, and flipped or shifted masks next to nothing."""
    from SATSegmentLib.errors import GeometryError

    if np.mean(scores) < _LEAST_DICE:
        raise GeometryError(
            f"The masks do not agree with the head's labels (mean Dice {np.mean(scores):.2f}).",
            "Please report this as an error.",
        )


def _check_ct(segmenter: Segmenter, ct: Image) -> str:
    """Send a real CT through the same path, stored in two ways, and say whether the masks come back to one place.

    The embedded model has learnt nothing about CT, so the queries are random numbers and the masks mean nothing: what
    is looked at is where they lie.
    """
    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.errors import GeometryError

    with progress_bar("Checking the geometry with a CT") as progress:
        stored = _random_masks(segmenter, ct, progress)
    with progress_bar("The same CT, stored with other axes") as progress:
        turned = _random_masks(segmenter, _turned(ct), progress)
    agreement = dice(stored, turned.transpose(0, 1, 3, 2)[:, ::-1])
    if agreement < 0.99:
        raise GeometryError(
            f"The CT's masks came back to different places (Dice {agreement:.3f}).", "Please report this as an error."
        )
    grid = " x ".join(str(size) for size in reversed(ct.array.shape))
    return (
        "Chest CT (CTChest4), geometry only: the model was trained on MR heads, nothing of a CT is trained, and no CT "
        f"anatomy is shown.\nMasks of random queries, the CT stored as it is and with turned and flipped axes: "
        f"{int(stored.sum())} voxels on the CT's own {grid} grid, Dice {agreement:.4f} to each other."
    )


def _turned(image: Image) -> Image:
    """The same scan with I and J swapped and K counted from the other end."""
    to_stored = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, image.array.shape[0] - 1], [0, 0, 0, 1]])
    return Image(image.array[::-1].transpose(0, 2, 1), image.ijk_to_ras @ to_stored)


def _random_masks(segmenter: Segmenter, ct: Image, progress: ProgressCallback) -> np.ndarray:
    """Masks (queries, K, J, I) of random queries, always the same ones."""
    from SATSegmentLib.models.catalog import find_model
    from SATSegmentLib.models.folder import BANK_FILE
    from SATSegmentLib.sat.text.bank import EmbeddingBank

    length = EmbeddingBank.load(find_model("demo") / BANK_FILE).query_dim
    queries = np.random.default_rng(0).standard_normal((_RANDOM_QUERIES, length)).astype(np.float32)
    results = segmenter.segment_queries(ct, queries, "ct", progress=progress, threshold=_RANDOM_THRESHOLD)
    return np.stack([result.whole_mask(ct.array.shape) for result in results])
