"""One tree out of Uberon, DICOM's SNOMED CT codes and MeSH."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from admission import TAGGED, dicom_names, is_anatomy, is_gross_anatomy
from filters import Verdict, judge_all, speaks_of_animals
from naming import comparable, human, one_sentence, uncapitalized
from node import DEVELOPING, ROOT, Node, plain, side_of, tidy
from placing import add_dicom_only, add_mesh_only
from sources import DicomConcept, MeshDescriptor, UberonTerm

_LATERAL_STRUCTURE = "UBERON:0015212"


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
    code_of = _match({c: dicom_names(concept) for c, concept in codes.items()}, by_name, known["SCT:"])
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
            nodes[identifier].synonyms += plain(descriptors[key].label, *descriptors[key].entry_terms)
    used_codes = {node.codes.get("SCT") for node in nodes.values()}
    used_descriptors = {node.codes.get("MSH") for node in nodes.values()}
    add_mesh_only(nodes, {k: d for k, d in descriptors.items() if k not in used_descriptors}, descriptors)
    add_dicom_only(nodes, {c: d for c, d in codes.items() if c not in used_codes}, groups)
    for identifier, place in places.items():
        if identifier in nodes and place in nodes:
            nodes[identifier].parents = {place: ""}
    for node in nodes.values():
        tidy(node)
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
        node.laterality = side_of(name) or ("p" if _LATERAL_STRUCTURE in term.ancestors else "")
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
    clinical = [TAGGED.sub("", m) for m in dicom_names(concept) if not TAGGED.search(m)]
    matching = {comparable(n) for n in (node.name, *node.synonyms)}
    named = named or bool(_SHORTENED.fullmatch(node.name))
    if not named and clinical and comparable(node.name) not in {comparable(p) for p in clinical}:
        # Uberon has a clinical name as a synonym only ("anterior vena cava"): say what clinicians say.
        better = next((p for p in clinical if comparable(p) in matching), None)
        if better and side_of(better.lower()) == side_of(node.name):
            node.synonyms.append(node.name)
            node.name = uncapitalized(better)
    node.synonyms += plain(*clinical)


# Names that DICOM only shortens or splits.
_SHORTENED = re.compile(r".* (gland|body|tissue)|brainstem")
