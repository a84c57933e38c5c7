"""Which Uberon terms are human anatomy: Uberon spans all animals, embryos and the scaffolding of an ontology.

Rules only, no list of single terms to keep: what a term is called, what its definition says, what it descends from,
and the block of ids it was minted in (Uberon took over whole ontologies block by block: fish 2000000, frogs 3000000,
insects 6000000, ...). Each rule is there because an audit of random terms found what it catches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from enum import Enum
from pathlib import Path

from naming import human
from sources import UberonTerm


class Verdict(Enum):
    """Where a term goes: the default view, the table but hidden, or nowhere."""

    HUMAN = "human"
    DEVELOPMENTAL = "developmental"
    GROUPING = "grouping"
    NON_HUMAN = "non-human"


# Blocks of ids (digits after "UBERON:") that other animals' ontologies were merged into.
_ANIMAL_BLOCKS = ("2", "3", "4", "5", "6", "7", "16", "86", "88")
# Terms in those blocks that are human anatomy all the same are let in by a DICOM or MeSH name, see `judge`.

_ANIMALS = (
    r"fish(es)?|teleost\w*|zebrafish|shark\w*|amphibia\w*|frogs?|reptil\w*|birds?|avian|aves|insect\w*|drosophil\w*|"
    r"arthropod\w*|mollus\w*|cephalopod\w*|ruminant\w*|bats?|cats?|dogs?|canine species|horses?|equine|bovine|cattle|"
    r"sheep|pigs?|porcine|snakes?|lizards?|crocodil\w*|turtles?|elasmobranch\w*|sauropsid\w*|dinosaur\w*|"
    r"marsupial\w*|monotreme\w*|lampreys?|hagfish\w*|echinoderm\w*|annelid\w*|nematod\w*|crustacea\w*|tunicat\w*|"
    r"cnidari\w*|ctenophor\w*|invertebrat\w*|salamander\w*|urodel\w*|anura\w*|actinopteryg\w*|sarcopteryg\w*|"
    r"gnathostom\w*|chondrichthy\w*|osteichthy\w*|ungulate\w*|carnivor\w*|cetacea\w*|whales?|dolphins?|elephants?|"
    r"chickens?|chick|xenopus|larva\w*|lagomorph\w*|rabbits?|spiders?|worms?|bivalv\w*|gastropod\w*|deuterostom\w*|"
    r"squamat\w*|caprine|camel\w*|deer|bees?|ants?|termites?|mosquito\w*|platypus|seals?|primates other"
)
_RODENTS_MONKEYS = r"rodents?|mouse|mice|rats?|murine|macaques?|monkeys?|of walker|burwell|paxinos|krieg|swanson"
# Any animal in a term's name or definition is telling, unless the definition names people beside it.
_NAME_OF_ANIMAL = re.compile(rf"\b({_ANIMALS}|{_RODENTS_MONKEYS}|sensu|vertebrate|nonhuman|non-mammalian)\b", re.I)
_DEFINITION_OF_ANIMAL = re.compile(
    rf"\b({_ANIMALS}|{_RODENTS_MONKEYS}|guenon|lemurs?|marmosets?|hedgehogs?|panniculus|parietal eye|veterinary)\b",
    re.I,
)
_PEOPLE = re.compile(r"\b(humans?|man|people|persons?|patients?|medicine)\b", re.I)

_DEVELOPMENTAL_ROOTS = frozenset(
    {
        "UBERON:0005423",  # developing anatomical structure
        "UBERON:0000922",  # embryo
        "UBERON:0002050",  # embryonic structure
        "UBERON:0002532",  # epiblast (generic)
        "UBERON:0000478",  # extraembryonic structure
        "UBERON:0016887",  # entire extraembryonic component
        "UBERON:0000104",  # life cycle
        "UBERON:0035943",  # life cycle temporal boundary
    }
)
# Whole branches of animals' structures.
_NON_HUMAN_ROOTS = frozenset(
    {
        "UBERON:0002415",  # tail
        "UBERON:0008897",  # fin
        "UBERON:0000022",  # feather
        "UBERON:0002535",  # gill
        "UBERON:0002536",  # arthropod sensillum
        "UBERON:0000162",  # cloaca
        "UBERON:0000023",  # wing
        "UBERON:0007365",  # rumen
        "UBERON:0002542",  # scale
        "UBERON:0005094",  # beak
        "UBERON:0006971",  # antler
        "UBERON:0011579",  # venom gland
    }
)

# Hidden even where DICOM or MeSH list it: fetal echocardiography and obstetrics do.
_BEFORE_BIRTH = re.compile(
    r"\b(ductus (venosus|arteriosus)|umbilical (artery|vein|cord|vesicle)|placenta\w*|chorion|chorionic|amnio\w*|"
    r"amnion|f(o)?etal|embryo\w*|yolk|allantois|primary palate)\b",
    re.I,
)
# What only serves to sort other terms goes first, so that nothing hangs under it.
_ORGANISING_NAME = re.compile(
    r"-derived structure$|^structure with developmental|^developing anatomical|^life cycle|"
    r"^conceptus$|cell condensation|"
    r"^(embryo|embryonic structure|surface structure|material entity in digestive tract|cell group)$|"
    r"^vestigial structure$",
    re.I,
)


def _read_rejected() -> dict[str, re.Pattern[str]]:
    """The word list: a pattern for each of its sections."""
    words: dict[str, list[str]] = {}
    section = ""
    for line in (Path(__file__).parent / "rejected_words.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            words[section] = []
        elif line and not line.startswith("#"):
            words[section].append(line)
    return {name: re.compile(rf"(?<!\w)({'|'.join(lines)})(?!\w)", re.I) for name, lines in words.items()}


_REJECTED = _read_rejected()


def judge(term: UberonTerm, named_elsewhere: bool) -> Verdict:
    """Whether a term is human anatomy.

    Parameters
    ----------
    term: the term.
    named_elsewhere: whether DICOM, MeSH's human anatomy or SAT has the structure under the same name.
    """
    name = human(term.label)
    if _ORGANISING_NAME.search(name):
        return Verdict.GROUPING
    if _BEFORE_BIRTH.search(name):
        return Verdict.DEVELOPMENTAL
    if term.ancestors & _DEVELOPMENTAL_ROOTS or term.id in _DEVELOPMENTAL_ROOTS:
        return _animal(term, named_elsewhere) or Verdict.DEVELOPMENTAL
    if named_elsewhere:
        return Verdict.GROUPING if "/" in name else Verdict.HUMAN
    animal = _animal(term, named_elsewhere)
    if animal:
        return animal
    if _REJECTED["developmental"].search(name):
        return Verdict.DEVELOPMENTAL
    if "/" in name or _REJECTED["grouping"].search(name):
        return Verdict.GROUPING
    return Verdict.HUMAN


def _animal(term: UberonTerm, named_elsewhere: bool) -> Verdict | None:
    if named_elsewhere:
        return None
    name = human(term.label)
    if term.id.partition(":")[2].startswith(_ANIMAL_BLOCKS):
        return Verdict.NON_HUMAN
    if (term.ancestors | {term.id}) & _NON_HUMAN_ROOTS:
        return Verdict.NON_HUMAN
    if any(p.search(name) for p in (_NAME_OF_ANIMAL, _REJECTED["non-human"])):
        return Verdict.NON_HUMAN
    if speaks_of_animals(term.definition):
        return Verdict.NON_HUMAN
    return None


def speaks_of_animals(definition: str) -> bool:
    """Whether a definition tells of animals and not of people."""
    return bool(_DEFINITION_OF_ANIMAL.search(definition)) and not _PEOPLE.search(definition)


def judge_all(terms: Mapping[str, UberonTerm], named_elsewhere: Set[str]) -> dict[str, Verdict]:
    """The verdict on every term."""
    return {key: judge(term, key in named_elsewhere) for key, term in terms.items()}
