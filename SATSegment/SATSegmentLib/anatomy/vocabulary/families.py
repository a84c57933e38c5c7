"""Names that follow from a rule: vertebrae, discs and liver segments, each with its letter and number."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator

from SATSegmentLib.anatomy.text.numbering import SPINE

# The segments of the liver as Couinaud numbered them (Le foie, 1957), in SAT's words.
LIVER_SEGMENTS = {
    1: "caudate lobe",
    2: "left lateral superior segment of liver",
    3: "left lateral inferior segment of liver",
    4: "left medial segment of liver",
    5: "right anterior inferior segment of liver",
    6: "right posterior inferior segment of liver",
    7: "right posterior superior segment of liver",
    8: "right anterior superior segment of liver",
}

_VERTEBRA = re.compile(r"(cervical|thoracic|lumbar) vertebrae \d+ \(([ctl])(\d+)\)")
_DISC = re.compile(r"intervertebral disc between .*\(([tl]\d+)\) and (?:.*\((l\d+|t\d+)\)|sacrum)")

_DISC_PATTERNS = (
    "{} disc",
    "{} intervertebral disc",
    "{} disc space",
    "{} intervertebral disc space",
    "{} ivd",
    "{} spinal disc",
    "{} disc level",
)

# A name, and whether it means the structure for certain ("synonym") or nearly ("near").
Named = tuple[str, str]


def family_names(label: str) -> Iterator[Named]:
    """Names of one label that follow from its place in a row; nothing where it stands in none."""
    if match := _VERTEBRA.fullmatch(label):
        yield from _vertebra(match[1], match[2], int(match[3]))
    elif match := _DISC.fullmatch(label):
        yield from _disc(match[1], match[2] or "s1")
    for number, segment in LIVER_SEGMENTS.items():
        if segment == label:
            yield from _liver_segment(number, label)


def _vertebra(region: str, letter: str, number: int) -> Iterator[Named]:
    codes = [f"{letter}{number}"]
    regions = [region]
    if letter == "t":
        regions.append("dorsal")
        codes.append(f"d{number}")
    for code in codes:
        # D1 to D4 are also parts of the duodenum.
        yield code, "near" if code in ("d1", "d2", "d3", "d4") else "synonym"
        for pattern in (
            "{} vertebra",
            "spine {}",
            "{} spine vertebra",
            "{} vertebra bone",
            "{} bone",
            "{} spinal vertebra",
        ):
            yield pattern.format(code), "synonym"
        for name in regions:
            yield f"{name} vertebra {code}", "synonym"
            yield f"{name} {code}", "synonym"
            yield f"{name} spine {code}", "synonym"
        for pattern in (
            "{} vertebra body",
            "{} body",
            "body {} vertebra",
            "{} level",
            "{} vertebra level",
            "corpus {}",
        ):
            yield pattern.format(code), "near"
        # "L4-L5" said alone is the level between two vertebrae: the disc, or both of them.
        yield f"{code}-{letter}{number + 1}", "near"
        yield f"{letter}{number - 1}-{code}", "near"
    for name in regions:
        yield f"{name} vertebra {number}", "synonym"
        yield f"{name} {number}", "synonym"
        yield f"{name} spine {number}", "near"
        yield f"{name} vertebra body {number}", "near"


def _disc(above: str, below: str) -> Iterator[Named]:
    pairs = [f"{above}-{below}", f"{above} {below}", f"{above} between {below}"]
    if below == "s1":
        pairs += [f"{above} sacrum", f"{above} between sacrum"]
        yield "lumbosacral disc", "synonym"
        yield "lumbosacral intervertebral disc", "synonym"
        yield "lumbosacral junction", "near"
    for pair in pairs:
        for pattern in (*_DISC_PATTERNS, "{} lumbar disc" if above[0] == "l" else "{} thoracic disc"):
            yield pattern.format(pair), "synonym"
    for pattern in ("{}", "{} level", "{} interspace", "{} disc herniation", "{} disc protrusion", "{} segment"):
        yield pattern.format(pairs[0]), "near"


def untrained_discs(labels: Collection[str]) -> Iterator[list[str]]:
    """Names of each disc that is no label, the one to be shown first: below C1 there is none, hence from C2 on."""
    trained = {(match[1], match[2] or "s1") for match in map(_DISC.fullmatch, labels) if match}
    for above, below in itertools.pairwise(SPINE[1:]):
        if (above, below) not in trained:
            shown = f"{above}-{below} intervertebral disc"
            yield [shown, *(pattern.format(f"{above}-{below}") for pattern in _DISC_PATTERNS)]


def _liver_segment(number: int, label: str) -> Iterator[Named]:
    for pattern in (
        "liver segment {}",
        "hepatic segment {}",
        "couinaud segment {}",
        "couinaud {}",
        "couinaud liver segment {}",
        "couinaud hepatic segment {}",
        "liver couinaud {}",
    ):
        yield pattern.format(number), "synonym"
    for pattern in (
        "liver s{}",
        "hepatic s{}",
        "liver segment s{}",
        "couinaud s{}",
        "hepatic segment s{}",
    ):
        yield pattern.format(number), "synonym"
    # Other organs have segments as well, and "liver 2" may be the second file of a liver.
    for pattern in ("segment {}", "segment s{}", "liver {}"):
        yield pattern.format(number), "near"
    if number > 1:
        # Alone, "S2" is as well a sacral vertebra, "S6" a segment of the lung.
        yield f"s{number}", "near"
        yield label.replace(" segment of liver", " hepatic segment"), "synonym"
        yield label.replace(" segment of liver", " liver subsegment"), "synonym"
        yield label.removesuffix(" of liver"), "synonym" if number != 4 else "near"
        for one, other in (("anterior superior", "anterosuperior"), ("anterior inferior", "anteroinferior"),
                           ("posterior superior", "posterosuperior"), ("posterior inferior", "posteroinferior"),
                           ("lateral superior", "superolateral"), ("lateral inferior", "inferolateral")):  # fmt: skip
            if one in label:
                yield label.replace(one, other), "synonym"
