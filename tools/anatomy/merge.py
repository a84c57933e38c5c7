"""One tree out of Uberon, DICOM's SNOMED CT codes and MeSH."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from filters import Verdict, judge_all, speaks_of_animals
from naming import comparable, human, one_sentence, uncapitalized
from sources import DicomConcept, MeshDescriptor, UberonTerm

ROOT = "SAT:human_body"
FINDING = "SAT:finding"
DEVELOPING = "SAT:developing"
_LATERAL_STRUCTURE = "UBERON:0015212"

# DICOM context groups that list anatomy.
_ANATOMY_GROUPS = frozenset({4, 3014, 3015, 3827, 4018, 4019, 4029, 4042, 6300, 7140, 7166, 7192, 7600, 7710, 8134})
_ANIMAL_GROUPS = frozenset({7480, 7482, 7483})
_NOT_ANATOMY = re.compile(
    r"\((disorder|finding|procedure|morphologic abnormality|physical object|observable entity)\)|"
    r"\((qualifier value|substance)\)|"
    r"\b(entire|supernumerary|surgical\w*|conduit|fistula|anastomosis|shunt|graft|metasta\w*|neoplasm|tumou?r|lesion|"
    r"necrosis|edema|cyst|nodule|mass|infarct\w*|bypass|fontan|glenn|baffle|rastelli|blalock|pathway|defect|congenital|"
    r"primitive|embryo\w*|f(o)?etal|umbilical|vitelline|common ventricle|common atrium|"
    r"truncus arteriosus communis|waveform|normal|"
    r"unknown|collateral|juxtaposed|double outlet|malposed|accessory|pleural effusion|prosthe\w+|device|blood clot|"
    r"bursa of fabricius|wing|udder|hock|tail|fetlock|pastern|hoof|stifle|animal|bile|urine|feces|fluid|gas|"
    r"phantom|vascular sclerosis|tributary|^lumen$|both eyes|all legs|anomalous|cor triatriatum|"
    r"patent|^(abdominal|body|body part|"
    r"thoracic|parasternal|subcostal|submental|subxiphoid|intra-articular|media|intima|nerve part|"
    r"lumbar region|ventricle|"
    r"airway structure|body organ|calyx)$|vitreous only|suprapulmonic|stump|"
    r"systemic venous atrium|pulmonary venous atrium|and/or|combined|calcification|cassettes?|implant)\b",
    re.I,
)
# Branches of MeSH's anatomy tree that are not gross human anatomy: cells, animals, embryo, plants, fungi, bacteria.
_NOT_GROSS = re.compile(
    r"\b(milk|buttermilk|kefir|koumiss|whey|\w*interface|margins|secretome|abdominal core|network|axis|"
    r"microphysiological|"
    r"keloid|cicatrix|stumps?|callus|melena|organoids|surgical\w*|flaps?|\w*grafts?|transplants?|"
    r"landmarks|trigger points|"
    r"at risk|axial length|acellular|donor|dander|generators|fluids?|exudates|reservoirs|gastric stump|surgically|"
    r"stomas?|analyzers|pellicle|secretions|ventricle, skeletal|skeletal muscle ventricle|pituitary-adrenal|hyalin|"
    r"nerve net|dental fissures|pouches|acid|tertiary lymphoid|superficial back muscles|afferent|efferent|pathways)\b",
    re.I,
)
_MESH_LEFT_OUT = ("A11", "A13", "A16", "A18", "A19", "A20", "A21", "A12.207", "A15.145.229", "A15.378.316")


@dataclass(slots=True)
class Node:
    """A concept under construction."""

    id: str
    name: str
    source: str
    synonyms: list[str] = field(default_factory=list)
    definition: str = ""
    parents: dict[str, str] = field(default_factory=dict)  # id -> "i", "p" or ""
    laterality: str = ""  # "l", "r", "p" or ""
    codes: dict[str, str] = field(default_factory=dict)
    default_view: bool = True


def is_anatomy(concept: DicomConcept) -> bool:
    """Whether a code of DICOM's is a structure of the (adult, human) body."""
    groups = concept.context_groups
    tagged = any("(body structure)" in meaning for meaning in concept.meanings)
    if not (tagged or groups & _ANATOMY_GROUPS) or (groups and groups <= _ANIMAL_GROUPS):
        return False
    return not any(_NOT_ANATOMY.search(meaning) for meaning in concept.meanings)


def is_gross_anatomy(descriptor: MeshDescriptor) -> bool:
    """Whether a MeSH descriptor is gross human anatomy."""
    if any(number.startswith(_MESH_LEFT_OUT) for number in descriptor.tree_numbers):
        return False
    return not _NOT_GROSS.search(descriptor.label)


def merge(
    uberon: Mapping[str, UberonTerm],
    dicom: Mapping[str, DicomConcept],
    mesh: Mapping[str, MeshDescriptor],
    wanted: Iterable[str],
    names: Mapping[str, str],
    groups: Mapping[int, str],
    places: Mapping[str, str],
    same: Mapping[str, str],
) -> dict[str, Node]:
    """The tree without SAT's own concepts.

    Parameters
    ----------
    wanted: Uberon ids that SAT's names need, kept whatever the filters say.
    names: Uberon id to the preferred name, where Uberon's is not what people say.
    groups: DICOM context group to the Uberon id its codes hang under when no name tells.
    places: id to the parent set by hand, or "-" to leave the concept out.
    same: "SCT:..." or "MSH:..." to the Uberon id that is the same structure, set by hand.
    """
    left_out = {identifier for identifier, place in places.items() if place == "-"}
    codes = {code: c for code, c in dicom.items() if is_anatomy(c) and f"SCT:{code}" not in left_out}
    descriptors = {k: d for k, d in mesh.items() if is_gross_anatomy(d) and f"MSH:{k}" not in left_out}
    by_name = _index(uberon, set(wanted))
    for key in same:
        if key.startswith("SCT:"):
            codes[key[4:]] = dicom[key[4:]]
    known = {scheme: {u: k[4:] for k, u in same.items() if k.startswith(scheme)} for scheme in ("SCT:", "MSH:")}
    code_of = _match({c: _dicom_names(concept) for c, concept in codes.items()}, by_name, known["SCT:"])
    descriptor_of = _match({k: (d.label, *d.entry_terms) for k, d in descriptors.items()}, by_name, known["MSH:"])
    verdicts = judge_all(uberon, set(code_of) | set(descriptor_of) | set(wanted))
    for identifier in wanted:
        verdicts[identifier] = Verdict.HUMAN
    for identifier in left_out & verdicts.keys():
        verdicts[identifier] = Verdict.GROUPING

    nodes = {
        ROOT: Node(ROOT, "human body", "SAT", definition="Everything that human anatomy names."),
        DEVELOPING: Node(DEVELOPING, "developing structures", "SAT", parents={ROOT: ""}, default_view=False),
    }
    nodes.update(_uberon_nodes(uberon, verdicts, names))
    for identifier, code in code_of.items():
        if identifier in nodes:
            _add_dicom(nodes[identifier], codes[code], identifier in names)
    for identifier, key in descriptor_of.items():
        if identifier in nodes:
            nodes[identifier].codes["MSH"] = key
            nodes[identifier].synonyms += _plain(descriptors[key].label, *descriptors[key].entry_terms)
    used_codes = {node.codes.get("SCT") for node in nodes.values()}
    used_descriptors = {node.codes.get("MSH") for node in nodes.values()}
    _add_mesh_only(nodes, {k: d for k, d in descriptors.items() if k not in used_descriptors}, descriptors)
    _add_dicom_only(nodes, {c: d for c, d in codes.items() if c not in used_codes}, groups)
    for identifier, place in places.items():
        if identifier in nodes and place in nodes:
            nodes[identifier].parents = {place: ""}
    for node in nodes.values():
        _tidy(node)
    return nodes


def _index(uberon: Mapping[str, UberonTerm], wanted: set[str]) -> dict[str, list[str]]:
    """Comparable name to Uberon ids: SAT's own first, then those whose label it is, then those with such a synonym.

    An animal's or embryo's structure answers to its label only: its synonyms ("carina" for a bird's sternal keel)
    are other structures of people.
    """
    verdicts = judge_all(uberon, set())
    ranked: dict[str, list[tuple[bool, int, bool, str]]] = defaultdict(list)
    for key, term in uberon.items():
        label = comparable(human(term.label))
        adult = verdicts[key] in (Verdict.HUMAN, Verdict.GROUPING)
        tiers = [(0, label), (1, comparable(term.label))]
        if adult or key in wanted:
            tiers += [(2, comparable(synonym)) for synonym in term.synonyms]
            tiers += [(3, label.removesuffix(suffix)) for suffix in (" bone", " muscle") if label.endswith(suffix)]
        for tier, name in tiers:
            ranked[name].append((key not in wanted, tier, not adult, key))
    return {name: list(dict.fromkeys(key for *_, key in sorted(entries))) for name, entries in ranked.items()}


def _match(
    names_of: Mapping[str, Iterable[str]], by_name: Mapping[str, list[str]], known: Mapping[str, str]
) -> dict[str, str]:
    """Uberon id to the key of the other source that has it under the same name; each key and each id once."""
    pairs = dict(known)
    taken = set(known.values())
    for position in range(64):
        # First names first: a descriptor's own label outranks its entry terms.
        for key, names in names_of.items():
            listed = tuple(names)
            if key in taken or position >= len(listed):
                continue
            for identifier in by_name.get(comparable(listed[position]), ())[:1]:
                if identifier not in pairs:
                    pairs[identifier] = key
                    taken.add(key)
    return pairs


_WAY_OF_LOOKING = re.compile(r"^(endo|intra|trans|peri)-?\w+$|^via |^Intracranial$", re.I)


def _dicom_names(concept: DicomConcept) -> tuple[str, ...]:
    """The meanings, formal ones ("... (body structure)") last, without those of views ("Endo-renal")."""
    names = [m for m in concept.meanings if not (len(concept.meanings) > 1 and _WAY_OF_LOOKING.match(m))]
    return tuple(sorted(names or concept.meanings, key=lambda m: ("(body structure)" in m, m)))


def _uberon_nodes(
    uberon: Mapping[str, UberonTerm], verdicts: Mapping[str, Verdict], names: Mapping[str, str]
) -> dict[str, Node]:
    kept = {key for key, verdict in verdicts.items() if verdict in (Verdict.HUMAN, Verdict.DEVELOPMENTAL)}
    kept.discard(_LATERAL_STRUCTURE)
    adult = {key for key in kept if verdicts[key] is Verdict.HUMAN}
    by_label = {term.label: key for key, term in uberon.items()}
    depth = _depths(uberon)
    nodes = {}
    for key in sorted(kept):
        term = uberon[key]
        name = names.get(key) or human(term.label)
        node = Node(key, name, "UBERON", synonyms=[term.label, *term.synonyms], codes={"UBERON": key.partition(":")[2]})
        sentence = one_sentence(human(term.definition))
        node.definition = "" if speaks_of_animals(sentence) else sentence
        node.default_view = verdicts[key] is Verdict.HUMAN
        # Adult anatomy does not hang under what it developed from.
        above = adult if node.default_view else kept
        node.parents = _parents(term, uberon, above, by_label, verdicts, depth)
        if ROOT in node.parents and not node.default_view:
            node.parents = {DEVELOPING: ""}
        node.laterality = _side(name) or ("p" if _LATERAL_STRUCTURE in term.ancestors else "")
        nodes[key] = node
    return nodes


def _depths(uberon: Mapping[str, UberonTerm]) -> dict[str, int]:
    return {key: len(term.ancestors) for key, term in uberon.items()}


def _parents(
    term: UberonTerm,
    uberon: Mapping[str, UberonTerm],
    kept: set[str],
    by_label: Mapping[str, str],
    verdicts: Mapping[str, Verdict],
    depth: Mapping[str, int],
) -> dict[str, str]:
    """Closest kept ancestors, the most specific first; the root where there are none."""
    direct = [parent for parent in term.parents if parent in kept]
    found = set(direct)
    if not found:
        level = set(term.parents)
        while level and not found:
            level = {above for parent in level for above in uberon[parent].parents}
            found = level & kept
    # A parent that another parent has among its own ancestors adds nothing.
    closest = {p for p in found if not any(p in uberon[other].ancestors for other in found if other != p)}
    relations = _stated_relations(term, by_label)
    ordered = sorted(closest, key=lambda p: (verdicts[p] is not Verdict.HUMAN, -depth[p], p))
    return {parent: relations.get(parent, "") if parent in direct else "" for parent in ordered} or {ROOT: ""}


_GENUS_AND_WHOLE = re.compile(
    r"^(?:an?|any|the|a portion of|any portion of|a zone of)?\s*(.+?) that is (?:a |the )?part of (?:an?|the)?\s*(.+?)"
    r"(?: and is part of (?:an?|the)?\s*(.+?))?\s*(?:\[automatically generated definition\])?\.?$",
    re.I,
)


def _stated_relations(term: UberonTerm, by_label: Mapping[str, str]) -> dict[str, str]:
    """Kinds of links that the definition states: "A mucosa that is part of a duodenum" is a mucosa, part of it."""
    match = _GENUS_AND_WHOLE.match(term.definition)
    if not match:
        return {}
    genus, *wholes = match.groups()
    stated = {by_label[whole]: "p" for whole in wholes if whole in by_label}
    if genus.lower() in by_label:
        stated[by_label[genus.lower()]] = "i"
    return stated


def _add_dicom(node: Node, concept: DicomConcept, named: bool) -> None:
    node.codes["SCT"] = concept.code
    plain = [_TAGGED.sub("", m) for m in _dicom_names(concept) if not _TAGGED.search(m)]
    matching = {comparable(n) for n in (node.name, *node.synonyms)}
    named = named or bool(_SHORTENED.fullmatch(node.name))
    if not named and plain and comparable(node.name) not in {comparable(p) for p in plain}:
        # Uberon has a clinical name as a synonym only ("anterior vena cava"): say what clinicians say.
        better = next((p for p in plain if comparable(p) in matching), None)
        if better and _side(better.lower()) == _side(node.name):
            node.synonyms.append(node.name)
            node.name = uncapitalized(better)
    node.synonyms += _plain(*plain)


# Names that DICOM only shortens or splits.
_SHORTENED = re.compile(r".* (gland|body|tissue)|brainstem")
_TAGGED = re.compile(r" \(body structure\)$")


def _add_mesh_only(
    nodes: dict[str, Node], left: Mapping[str, MeshDescriptor], descriptors: Mapping[str, MeshDescriptor]
) -> None:
    place = {node.codes["MSH"]: node.id for node in nodes.values() if "MSH" in node.codes}
    place |= {key: f"MSH:{key}" for key in left}
    by_number = {number: place[key] for key, d in descriptors.items() if key in place for number in d.tree_numbers}
    for key in sorted(left):
        descriptor = left[key]
        node = Node(f"MSH:{key}", _turned(descriptor.label), "MeSH", codes={"MSH": key})
        node.synonyms = _plain(descriptor.label, *descriptor.entry_terms)
        for number in descriptor.tree_numbers:
            while "." in number:
                number = number.rpartition(".")[0]
                if number in by_number and by_number[number] != node.id:
                    node.parents.setdefault(by_number[number], "")
                    break
        node.parents = node.parents or {ROOT: ""}
        node.laterality = _side(node.name)
        nodes[node.id] = node


def _add_dicom_only(nodes: dict[str, Node], left: Mapping[str, DicomConcept], groups: Mapping[int, str]) -> None:
    by_name: dict[str, str] = {}
    for node in sorted(nodes.values(), key=lambda n: (not n.default_view, n.id)):
        by_name.setdefault(comparable(node.name), node.id)
    for node in sorted(nodes.values(), key=lambda n: (not n.default_view, n.id)):
        for synonym in node.synonyms:
            by_name.setdefault(comparable(synonym), node.id)
    fresh = {code: _dicom_name(concept) for code, concept in left.items()}
    for code, name in fresh.items():
        by_name.setdefault(comparable(name), f"SCT:{code}")
    for code, name in fresh.items():
        identifier = f"SCT:{code}"
        called = {by_name.get(comparable(meaning), identifier) for meaning in (name, *left[code].meanings)}
        if called != {identifier}:
            # Another concept goes by one of its names already; a second code for it would be a second truth.
            continue
        node = Node(identifier, name, "DICOM", codes={"SCT": code}, laterality=_side(name))
        node.synonyms = _plain(*(_TAGGED.sub("", m) for m in left[code].meanings))
        parent = _broader(name, identifier, by_name)
        head = next((place for word, place in _HEADS.items() if word in comparable(name)), None)
        if head and (parent is None or not _same_head(comparable(name), parent, nodes, fresh)):
            parent = head
        node.parents = {parent or _group_place(left[code], groups) or ROOT: ""}
        nodes[identifier] = node
    for node in nodes.values():
        # What was hung under a code that turned out to be another concept's second one.
        node.parents = {p if p in nodes else ROOT: kind for p, kind in node.parents.items()}


# A structure of such a kind hangs under one of the same kind: skin of the temple under skin, not under the temple.
_HEADS = {
    "lymph node": "UBERON:0000029",
    "skin": "UBERON:0002097",
    "mucosa": "UBERON:0000344",
    "nail unit": "UBERON:0001705",
    "artery": "UBERON:0001637",
    "vein": "UBERON:0001638",
    "tooth": "UBERON:0001091",
    "muscle": "UBERON:0001630",
    "disc": "UBERON:0001066",
}


def _same_head(name: str, parent: str, nodes: Mapping[str, Node], fresh: Mapping[str, str]) -> bool:
    other = comparable(nodes[parent].name if parent in nodes else fresh[parent.removeprefix("SCT:")])
    return all(word in other for word in _HEADS if word in name)


def _dicom_name(concept: DicomConcept) -> str:
    names = _dicom_names(concept)
    plain = [name for name in names if not _TAGGED.search(name)]
    if plain:
        return uncapitalized(min(plain, key=lambda n: (-len(n.split()), n)))
    bare = _TAGGED.sub("", names[0])
    bare = re.sub(r"^(Bone structure of|Structure of|Region of) (the )?", "", bare)
    return uncapitalized(re.sub(r" structure$", "", bare))


def _broader(name: str, own: str, by_name: Mapping[str, str]) -> str | None:
    """The concept whose name is left when qualifiers are taken away: "left renal artery" -> "renal artery"."""
    words = comparable(name).split()
    for start in range(1, len(words)):
        found = by_name.get(" ".join(words[start:])) if words[start] not in ("of", "the", "and") else None
        if found and found != own:
            return found
        without = by_name.get(" ".join(words[: start - 1] + words[start:])) if start < 4 else None
        if without and without != own and len(words) > 2:
            return without
    if " of " in f" {' '.join(words)} ":
        whole = " ".join(words).partition(" of ")[2].removeprefix("the ")
        found = by_name.get(whole) or _broader(whole, own, by_name)
        if found and found != own:
            return found
    return None


def _group_place(concept: DicomConcept, groups: Mapping[int, str]) -> str | None:
    return next((place for group, place in groups.items() if group in concept.context_groups), None)


def _turned(label: str) -> str:
    """MeSH's "Ganglia, Spinal" as "spinal ganglia"."""
    head, comma, tail = label.partition(", ")
    return uncapitalized(f"{tail} {head}" if comma and ", " not in tail else label)


def _side(name: str) -> str:
    words = re.findall(r"\w+", name.lower())
    sides = {side for side in ("left", "right") if side in words}
    return next(iter(sides))[0] if len(sides) == 1 else ""


def _plain(*names: str) -> list[str]:
    return [name for name in (" ".join(n.split()) for n in names) if name and "|" not in name and "\t" not in name]


def _tidy(node: Node) -> None:
    """Drop synonyms that only repeat the name or each other, inverted ones ("Artery, Renal") included."""
    seen = {_folded(node.name)}
    kept = []
    for synonym in node.synonyms:
        key = _folded(_turned(synonym)) if re.fullmatch(r"[^,]+, [^,]+", synonym) else _folded(synonym)
        if key not in seen and not set("|[]") & set(synonym):
            seen.add(key)
            kept.append(uncapitalized(_turned(synonym) if re.fullmatch(r"[^,]+, [^,]+", synonym) else synonym))
    node.synonyms = sorted(kept, key=lambda s: (s.casefold(), s))


def _folded(name: str) -> str:
    """For comparing spellings: case, commas and a plural s do not count."""
    return " ".join(word.removesuffix("s") for word in re.sub(r"[^\w]+", " ", name.lower()).split())
