"""From public packages to the embedded demonstration model.

    python -m venv build/demo-model-venv
    build/demo-model-venv/bin/pip install -r requirements/demo-model.txt
    build/demo-model-venv/bin/pip install --no-deps --editable .
    build/demo-model-venv/bin/python tools/demo_model/train.py all

Stages, each of which continues where it stopped: `download` (four T1 heads out of packages), `label` (SAMSEG, four to
twenty minutes a head), `text` (the text encoder learns the tree), `tissue` (the U-Net learns labels), `prompts` (the
network learns to find what words name), `export` (into Resources/Models/demo), `curve` (Docs' picture).
`Docs/demo-model.md` says what comes out.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heads import Head

# Where other programs run too, threads that spin while they wait for each other cost a step three times its work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Run the stages that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="+", choices=(*_STAGES, "all"), metavar="STAGE", help="see above, or all")
    parser.add_argument("--work", type=Path, default=_ROOT / "build/demo-model", help="scratch folder")
    parser.add_argument("--out", type=Path, default=_ROOT / "SATSegment/Resources/Models/demo", help="model folder")
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: %(default)s)")
    arguments = parser.parse_args()
    arguments.work = arguments.work.resolve()
    arguments.work.mkdir(parents=True, exist_ok=True)
    for name, stage in _STAGES.items():
        if name in arguments.stages or "all" in arguments.stages:
            stage(arguments)


def _download(arguments: argparse.Namespace) -> None:
    from sources import download

    download(arguments.work)


def _label(arguments: argparse.Namespace) -> None:
    from silver import label

    label(arguments.work, arguments.threads)


def _text(arguments: argparse.Namespace) -> None:
    from text import train

    train(arguments.work, arguments.work / "text")


def _tissue(arguments: argparse.Namespace) -> None:
    from recipe import TISSUE_SCHEDULE
    from tissue import fit_tissue

    fit_tissue(_heads(arguments), TISSUE_SCHEDULE, arguments.work / "run")


def _prompts(arguments: argparse.Namespace) -> None:
    from prompts import fit_prompts

    run = arguments.work / "run"
    fit_prompts(_heads(arguments), run / "tissue.pt", arguments.work / "text", run)


def _heads(arguments: argparse.Namespace) -> list[Head]:
    import torch
    from heads import load_heads
    from sources import SOURCES, image_file, label_file

    torch.set_num_threads(arguments.threads)
    training = [source for source in SOURCES if source.trained]
    return load_heads({s.name: (image_file(arguments.work, s), label_file(arguments.work, s)) for s in training})


def _export(arguments: argparse.Namespace) -> None:
    from export import export

    export(arguments.work / "run", arguments.work / "text", arguments.out)


def _curve(arguments: argparse.Namespace) -> None:
    from curve import draw_curve

    draw_curve(arguments.work / "run", arguments.work / "training.png")


_STAGES = {
    "download": _download,
    "label": _label,
    "text": _text,
    "tissue": _tissue,
    "prompts": _prompts,
    "export": _export,
    "curve": _curve,
}

if __name__ == "__main__":
    main()
