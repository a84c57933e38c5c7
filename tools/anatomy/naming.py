"""How names of different sources are compared, and how Uberon's names are put into human terms."""

from __future__ import annotations

import re

_TAG = re.compile(r" \((body structure|organ|combined site|body part|mediastinal)\)")
_FRAME = re.compile(r"^(bone structure|structure|region|skeletal muscle structure) of (the )?|^the | structure$")

# Uberon speaks of all land animals' limbs; people have upper and lower ones.
_HUMAN_WORDS = (
    (re.compile(r"\b(of )?camera-type eye\b"), lambda m: "of eye" if m.group(1) else "eye"),
    (re.compile(r"\bforelimb zeugopod\b"), "forearm"),
    (re.compile(r"\bhindlimb zeugopod\b"), "lower leg"),
    (re.compile(r"\bforelimb stylopod\b"), "upper arm"),
    (re.compile(r"\bhindlimb stylopod\b"), "thigh"),
    (re.compile(r"\bforelimb\b"), "upper limb"),
    (re.compile(r"\bhindlimb\b"), "lower limb"),
    (re.compile(r"\bmanual digit(s?)\b"), r"hand digit\1"),
    (re.compile(r"\bpedal digit(s?)\b"), r"foot digit\1"),
    (re.compile(r"\bmanus\b"), "hand"),
    (re.compile(r"\bof pes\b|^pes$"), lambda m: m.group().replace("pes", "foot")),
    (re.compile(r"\bdorsal plus ventral thalamus\b"), "thalamus"),
    (re.compile(r"^(mammalian|tetrapod) "), ""),
    (re.compile(r" plus branches$"), ""),
)


def comparable(name: str) -> str:
    """A name without what differs between sources only: case, "structure of", "(body structure)", commas, hyphens."""
    name = _TAG.sub("", name.lower()).replace("oesophag", "esophag").replace("disk", "disc")
    name = re.sub(r"[,\-]", " ", name).replace("skin structure of", "skin of")
    name = " ".join(_singular(word) for word in name.split())
    while True:
        shorter = _FRAME.sub("", " ".join(name.split()))
        if shorter == name:
            return name
        name = shorter


_SINGULARS = {
    "vertebrae": "vertebra",
    "arteries": "artery",
    "bodies": "body",
    "ganglia": "ganglion",
    "nuclei": "nucleus",
    "calices": "calyx",
    "venae": "vena",
    "teeth": "tooth",
    "phalanges": "phalanx",
    "maculae": "macula",
    "menisci": "meniscus",
}


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "as", "ps")):
        return _SINGULARS.get(word, word[:-1])
    return _SINGULARS.get(word, word)


def human(text: str) -> str:
    """A name or definition of Uberon in the words for people."""
    for pattern, word in _HUMAN_WORDS:
        text = pattern.sub(word, text)
    return text


def uncapitalized(name: str) -> str:
    """A title-case name ("Left Ventricle") in the tree's lower case; proper names, abbreviations, numerals stay.

    A word stays when it holds a digit or a second capital, has an apostrophe, or is a known proper name.
    """
    return " ".join(word if _stays(word) else word.lower() for word in name.split())


_PROPER = frozenset(
    word
    for line in (
        "Achilles Bachmann Bartholin Couinaud Douglas Eustachian Fallopian Galen Henle Heschl Heubner His Kerckring",
        "Langer Monro Morison Paneth Peyer Poupart Purkinje Rosenmuller Retzius Rolando Scarpa Schlemm Sylvius",
        "Thebesian Valsalva Vater Virchow Wharton Willis Waldeyer Meckel Corti Bowman Brodmann Broca Wernicke Meyer",
        "Baum Cloquet Rotter I II III IV V VI VII VIII IX X XI XII A B C D",
    )
    for word in line.split()
)


def _stays(word: str) -> bool:
    bare = word.strip("(),")
    letters = [c for c in bare if c.isalpha()]
    return any(c.isdigit() for c in bare) or sum(c.isupper() for c in letters) > 1 or "'" in bare or bare in _PROPER


def one_sentence(definition: str) -> str:
    """The first sentence of a definition, without its references in square brackets."""
    text = re.sub(r"\s*\[[^\]]*\]", "", definition).strip().lstrip(". ").replace("[", "").replace("]", "")
    text = re.sub(r"\s+([.,;])", r"\1", re.sub(r"\.\.+", ".", text))
    if text.startswith("Missing definition"):
        return ""
    match = re.match(r"(.+?(?<!\be\.g)(?<!\bi\.e)(?<!\bca)(?<!\bcf)(?<!\bvs)(?<!\b[A-Z])[.!?])(\s+[A-Z(\"]|$)", text)
    text = match.group(1) if match else text
    text = re.sub(r"\b(a|A) (?=[aeio]|u[^ns])", lambda m: m.group(1) + "n ", text.replace("\t", " "))
    if not text:
        return ""
    return text[0].upper() + text[1:].rstrip(" ;,") + ("" if text[-1] in ".!?" else ".")
