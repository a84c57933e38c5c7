"""What a word taught from one scan finds on another, and how long teaching takes.

    .venv/bin/python benchmarks/bench_teach.py --example a.nii.gz a_labels.nii.gz --other b.nii.gz b_labels.nii.gz \
        --structure "left cerebral hemisphere=2,3,4,5,10,11,12,13,17,18,26,28,31" --out build/teach.csv

    .venv/bin/python benchmarks/bench_teach.py --released sat_nano --out build/teach-time.csv

The first form teaches each structure from the example alone and segments both scans; Dice on the scans' own grids. The
second measures how long a fit takes in one window of released width, all of its steps, with seeded weights. The
window's features are random numbers of the right shape, because only their number counts for the time, and encoding is
not what is measured. Times are processor seconds of this process, so other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "SATSegment"), str(ROOT / "SATSegment" / "Testing"), str(ROOT / "benchmarks")]

from SATSegmentLib.inference.cache import FeatureCache  # noqa: E402
from SATSegmentLib.inference.segmenter import Segmenter  # noqa: E402
from SATSegmentLib.learning.teach.files import read_example  # noqa: E402
from SATSegmentLib.learning.teach.fit import Recipe  # noqa: E402
from SATSegmentLib.learning.teach.teach import TaughtWord, teach  # noqa: E402
from SATSegmentLib.models.folder import ModelDescription  # noqa: E402
from SATSegmentLib.sat.features import Features  # noqa: E402
from SATSegmentLib.sat.network import SATNetwork  # noqa: E402
from SATSegmentLib.sat.text.bank import EmbeddingBank  # noqa: E402
from SATSegmentLib.sat.text.queries import QuerySource  # noqa: E402
from SATSegmentLib.types import Example  # noqa: E402

# FreeSurfer's numbers, as SAMSEG writes them; none of these is a prompt of the demonstration model.
STRUCTURES = {
    "left cerebral hemisphere": "2,3,4,5,10,11,12,13,17,18,26,28,31",
    "left cerebral white matter": "2",
    "left cerebral cortex": "3",
    "cerebellar white matter": "7,46",
    "left cerebellar white matter": "7",
    "ventral diencephalon": "28,60",
    "left ventral diencephalon": "28",
    "fourth ventricle": "15",
    "choroid plexus": "31,63",
    "skull": "165",
    "scalp": "258",
}


def dice_of(segmenter: Segmenter, word: TaughtWord, example: Example) -> float:
    """Of the word's mask on a scan."""
    record, vectors = word.record, word.vectors
    (result,) = segmenter.segment_queries(
        example.image,
        vectors.query[None],
        record.modality,
        record.orientation,
        mask_embedding_offsets=[vectors.mask_embedding_offset],
    )
    shared = np.count_nonzero(example.mask & result.whole_mask(example.mask.shape))
    return 2 * shared / (np.count_nonzero(example.mask) + result.voxels)


def structures_of(arguments: argparse.Namespace) -> dict[str, str]:
    return dict(one.split("=", 1) for one in arguments.structure) if arguments.structure else STRUCTURES


def transfer(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """A row for each structure."""
    segmenter = Segmenter.load(arguments.model, device="cpu")
    rows = []
    for name, values in structures_of(arguments).items():
        example, other = (read_example(*pair, values) for pair in (arguments.example, arguments.other))
        for one in (example, other):
            segmenter.segment_queries(one.image, np.ones((1, segmenter.network.architecture.query_dim)), "mri")
        began = time.process_time()
        # "bench" before the name: some of the names are in the vocabulary, where they mean more than this.
        word = teach(segmenter, [example], f"bench {name}", "mri")
        seconds = time.process_time() - began
        row = {
            "structure": name,
            "dice_example": round(word.record.dice[0], 3),
            "dice_other": round(float(dice_of(segmenter, word, other)), 3),
            "start": word.record.start,
            "seconds": round(seconds, 1),
        }
        print(row, flush=True)
        rows.append(row)
    return rows


def released_time(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """One window of released width; the fit is made to take all of its steps."""
    import synthetic

    window = tuple(arguments.window)
    cache = FeatureCache(8 << 30, 0)
    network = synthetic.network(arguments.released.removeprefix("sat_"), window)
    labels = [(f"label {number}", "ct") for number in range(306)]  # as many as SAT has of CT
    queries = np.random.default_rng(1).standard_normal((len(labels), 768)).astype(np.float32)
    segmenter = Segmenter(
        network,
        ModelDescription("synthetic", window, synthetic.SPACING, network_sha256="0" * 64),
        QuerySource(768, EmbeddingBank(labels, queries, "seeded", "seeded")),
        device="cpu",
        cache=cache,
    )
    network.encode = lambda _: random_features(network)  # type: ignore[method-assign]
    image = synthetic.body(window)
    axes = np.meshgrid(*[np.linspace(-1, 1, size) for size in image.array.shape], indexing="ij")
    example = Example(image, sum(((axis - 0.2) / 0.2) ** 2 for axis in axes) < 1)
    windows = segmenter.windows(image, "ct")
    assert len(windows.boxes) == 1
    with torch.inference_mode():
        windows.features(0)
    recipe = Recipe(patience=10**6)
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random features show no structure
        teach(segmenter, [example], "my implant", "ct", recipe=recipe)
    row = {
        "network": arguments.released,
        "window": " x ".join(map(str, window)),
        "precision": segmenter.precision,
        "threads": torch.get_num_threads(),
        "steps": recipe.rounds * recipe.steps,
        "teach_seconds": round(time.process_time() - began, 1),
    }
    print(row, flush=True)
    return [row]


def random_features(network: SATNetwork) -> Features:
    """Of one window."""
    cells = int(
        np.prod([side // step for side, step in zip(network.window, network.architecture.downsampling, strict=True)])
    )
    channels = torch.randn(1, network.architecture.channels, 1, *network.window[1:]).to(network.backbone.dtype)
    voxels = torch.cat([channels.roll(shift, dims=3) for shift in range(network.window[0])], dim=2)
    return Features(torch.randn(1, cells, network.architecture.query_dim), voxels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="demo")
    parser.add_argument("--example", nargs=2, type=Path, metavar=("SCAN", "LABELS"), help="to teach from")
    parser.add_argument("--other", nargs=2, type=Path, metavar=("SCAN", "LABELS"), help="to try the word on")
    parser.add_argument("--structure", action="append", metavar="NAME=VALUES", help="default: SAMSEG's, see the source")
    parser.add_argument("--released", choices=("sat_nano", "sat_pro"), help="measure time instead")
    parser.add_argument("--window", type=int, nargs=3, default=(288, 288, 96))
    parser.add_argument("--out", type=Path, default=Path("build/teach.csv"))
    arguments = parser.parse_args()
    if arguments.released is None and not (arguments.example and arguments.other):
        parser.error("give --example and --other, or --released")
    rows = released_time(arguments) if arguments.released else transfer(arguments)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with arguments.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
