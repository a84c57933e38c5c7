"""`satsegment pretrain`: a language model learns the knowledge tree, and what its structures look like."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.cli.numbers import number_where
from SATSegmentLib.types import RELEASED_SPACING, RELEASED_WINDOW

if TYPE_CHECKING:
    from SATSegmentLib.learning.knowledge.measure import Findings, NameIndex
    from SATSegmentLib.learning.knowledge.objective import Objective
    from SATSegmentLib.learning.knowledge.recipe import KnowledgeRecipe
    from SATSegmentLib.learning.knowledge.split import HeldOut
    from SATSegmentLib.learning.knowledge.texts import Knowledge

_MEASURE_FILE = "measure.json"
_NEIGHBOURS_OF = 12

_POSITIVE = number_where(int, lambda value: value >= 1, "must be a whole number, 1 or more")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment pretrain all-MiniLM-L6-v2 --size small --out knowledge",
        notes=(
            "LANGUAGE_MODEL is the folder of any Hugging Face encoder: config.json, its weights, its tokenizer files.",
            "It learns the tree's names with synonyms, definitions, broader terms and wordings of a side. A tenth of "
            "the synonyms and definitions is held out, and looked for before and after. With --images, names and "
            "modalities are also learned against the averaged image features of their masks.",
            "Writes text_encoder.pth (the released layout) with the language model's files, log.jsonl, measure.json, "
            "and pretraining.pt, from which the same command continues.",
        ),
        codes={1: "cancelled; the same command continues"},
    )
    parser.add_argument(
        "language_model", type=Path, metavar="LANGUAGE_MODEL", help="folder of the language model to start from"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="folder for the run; created if missing"
    )
    parser.add_argument(
        "--size",
        choices=("full", "small"),
        default="full",
        help="full: 100,000 steps of 128 pairs, for a GPU; small: minutes on one CPU core (default: full)",
    )
    parser.add_argument("--steps", type=_POSITIVE, metavar="N", help="number of steps (default: the recipe's)")
    parser.add_argument("--query-dim", type=_POSITIVE, metavar="N", help="length of a query, as the network takes it")
    parser.add_argument("--start-from", type=Path, metavar="FILE", help="text_encoder.pth of an earlier run")
    parser.add_argument(
        "--compare", type=Path, metavar="FOLDER", help="a plain sentence encoder to measure beside (mean of its tokens)"
    )
    images = parser.add_argument_group("images")
    images.add_argument("--images", type=Path, nargs="+", metavar="RECORDS", help=".jsonl files of training records")
    images.add_argument("--cache", type=Path, metavar="FOLDER", help="for preprocessed scans (default: OUT-cache)")
    images.add_argument(
        "--architecture",
        default="nano",
        metavar="NAME",
        help="network that sees the images (see a training's configuration)",
    )
    images.add_argument(
        "--window", type=int, nargs=3, default=RELEASED_WINDOW, metavar="N", help="voxels (default: 288 288 96)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default: auto)")


def run(arguments: argparse.Namespace) -> int:
    """Measure, train, measure; returns the exit code."""
    import torch

    from SATSegmentLib.cli.progress import progress_bar
    from SATSegmentLib.learning.knowledge.encoder import LearningEncoder
    from SATSegmentLib.learning.knowledge.measure import NameIndex, measure
    from SATSegmentLib.learning.knowledge.pretrain import Pretraining
    from SATSegmentLib.learning.knowledge.split import hold_out
    from SATSegmentLib.learning.knowledge.texts import load_knowledge

    recipe = _recipe(arguments)
    device = _device(arguments.device)
    knowledge = load_knowledge()
    training, held_out = hold_out(knowledge, recipe.held_out)
    encoder = LearningEncoder.start(
        arguments.language_model, recipe.query_dim, recipe.projection_dim, recipe.max_tokens, recipe.seed
    )
    if arguments.start_from is not None:
        encoder.continue_from(arguments.start_from.expanduser())
    encoder.to(torch.device(device))
    objective = _objective(arguments, training, held_out, recipe)
    pretraining = Pretraining(encoder, objective, recipe, arguments.out)
    found = {}
    print("Measuring the start ...", file=sys.stderr)
    # A projection that has learned nothing only blurs; the fair start is the language model's own answer.
    ask = encoder.features if arguments.start_from is not None else encoder.language_features
    found["before"] = measure(NameIndex(knowledge, ask), knowledge, held_out)
    if arguments.compare is not None:
        plain = LearningEncoder.start(arguments.compare, 1, 1, recipe.max_tokens).to(torch.device(device))
        found["plain"] = measure(NameIndex(knowledge, plain.language_features), knowledge, held_out)
    with progress_bar("Pretraining") as progress:
        outcome = pretraining.run(progress)
    index = NameIndex(knowledge, encoder.features)
    found["after"] = measure(index, knowledge, held_out)
    _report(arguments.out.expanduser(), found)
    _print_neighbours(knowledge, held_out, index)
    arguments.answer = {"checkpoint": str(outcome.checkpoint), "steps": outcome.step, "loss": outcome.loss}
    print(f"\n{outcome.checkpoint}: step {outcome.step}, loss {outcome.loss:.3f}")
    return 0


def _recipe(arguments: argparse.Namespace) -> KnowledgeRecipe:
    from SATSegmentLib.learning.knowledge.recipe import FULL, SMALL

    recipe = FULL if arguments.size == "full" else SMALL
    if arguments.steps is not None:
        # A warm-up that takes the whole run would never get to the learning rate.
        warmup = min(recipe.warmup_steps, max(arguments.steps // 10, 1))
        recipe = dataclasses.replace(recipe, steps=arguments.steps, warmup_steps=warmup)
    if arguments.query_dim is not None:
        recipe = dataclasses.replace(recipe, query_dim=arguments.query_dim)
    return recipe


def _device(name: str) -> str:
    import torch

    from SATSegmentLib.errors import DeviceError

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"There is no device {name!r} here.", "Choose another one, or auto.") from error
    return name


def _objective(
    arguments: argparse.Namespace, training: Knowledge, held_out: HeldOut, recipe: KnowledgeRecipe
) -> Objective:
    from SATSegmentLib.learning.knowledge.objective import TextObjective
    from SATSegmentLib.learning.knowledge.pairs import Pairs

    texts = TextObjective(Pairs(training, recipe, held_out=held_out))
    if not arguments.images:
        return texts
    from SATSegmentLib.errors import SATSegmentError
    from SATSegmentLib.learning.data import CaseCache, PatchDataset, Recipe, read_records
    from SATSegmentLib.learning.knowledge.regions import RegionObjective, RegionTower
    from SATSegmentLib.learning.segmentation.initial import new_network
    from SATSegmentLib.sat.backbones.registry import NAMED_SPECS

    architecture = NAMED_SPECS.get(arguments.architecture)
    if architecture is None:
        raise SATSegmentError(
            f"There is no network {arguments.architecture!r}.", f"Choose one of {', '.join(NAMED_SPECS)}."
        )
    window = tuple(arguments.window)
    records = read_records(arguments.images).records
    cases = (
        CaseCache(arguments.cache or arguments.out.with_name(f"{arguments.out.name}-cache"), RELEASED_SPACING)
        .prepare(records)
        .cases
    )
    samples = PatchDataset(cases, Recipe(window=window), recipe.seed)
    network = new_network(architecture, window, recipe.seed)
    return RegionObjective(texts, samples, RegionTower(network, recipe.query_dim))


def _report(out: Path, found: dict[str, Findings]) -> None:
    from SATSegmentLib.files import write_report

    titles = {"before": "before training", "plain": "plain sentence encoder", "after": "after training"}
    for name, findings in found.items():
        print(f"{titles[name]:<24} held-out synonyms:    {findings.synonyms}")
        print(f"{'':<24} held-out definitions: {findings.definitions}")
    content = json.loads(json.dumps({name: dataclasses.asdict(findings) for name, findings in found.items()}))
    write_report(out / _MEASURE_FILE, content, overwrite=True)


def _print_neighbours(knowledge: Knowledge, held_out: HeldOut, index: NameIndex) -> None:
    step = max(len(held_out.synonyms) // _NEIGHBOURS_OF, 1)
    asked = held_out.synonyms[::step][:_NEIGHBOURS_OF]
    print("\nNearest names of held-out synonyms (* is the right one):")
    nearest = index.nearest([text for text, _ in asked], 3)
    for (text, identifier), near in zip(asked, nearest, strict=True):
        right = knowledge.structures[identifier].name.lower()
        names = ", ".join(f"{'*' if name == right else ''}{name} {cosine:.2f}" for name, cosine in near)
        print(f"  {text}: {names}")
