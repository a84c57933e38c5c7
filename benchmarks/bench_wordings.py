"""Free text against labels on the held-out head: wordings that no training saw, through the text encoder.

python benchmarks/bench_wordings.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1] / "SATSegment"
sys.path[:0] = [str(ROOT)]

from SATSegmentLib.cli.demo import dice  # noqa: E402
from SATSegmentLib.inference.segmenter import Segmenter  # noqa: E402
from SATSegmentLib.learning.knowledge.wording import held_out_paraphrases  # noqa: E402
from SATSegmentLib.resources import resource_path  # noqa: E402
from SATSegmentLib.scans import read_scan  # noqa: E402
from SATSegmentLib.types import Prompt  # noqa: E402

NAMES = (
    "left hippocampus",
    "right hippocampus",
    "left putamen",
    "right cerebellum",
    "brainstem",
    "left thalamus",
    "right amygdala",
    "lateral ventricle",
)


def main() -> None:
    """Print each wording's Dice to its label's mask, the lowest first."""
    segmenter = Segmenter.load("demo", "cpu")
    head = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    meant = {text: name for name in NAMES for text in held_out_paraphrases(name)}
    prompts = [Prompt(name, "mri") for name in NAMES] + [Prompt(text, "mri", trained=False) for text in meant]
    masks = {result.prompt.text: result.whole_mask(head.array.shape) for result in segmenter.segment(head, prompts)}
    scores = sorted((dice(masks[text], masks[name]), text) for text, name in meant.items())
    for score, text in scores:
        print(f"{score:.2f}  {text}")
    values = np.array([score for score, _ in scores])
    print(f"{len(values)} wordings: mean Dice {values.mean():.2f}, {100 * (values > 0.9).mean():.0f} % above 0.9")


if __name__ == "__main__":
    main()
