"""Which of DICOM's codes and MeSH's descriptors are gross anatomy of the born human body."""

from __future__ import annotations

import re

from sources import DicomConcept, MeshDescriptor

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


_WAY_OF_LOOKING = re.compile(r"^(endo|intra|trans|peri)-?\w+$|^via |^Intracranial$", re.I)


def dicom_names(concept: DicomConcept) -> tuple[str, ...]:
    """The meanings, formal ones ("... (body structure)") last, without those of views ("Endo-renal")."""
    names = [m for m in concept.meanings if not (len(concept.meanings) > 1 and _WAY_OF_LOOKING.match(m))]
    return tuple(sorted(names or concept.meanings, key=lambda m: ("(body structure)" in m, m)))


TAGGED = re.compile(r" \(body structure\)$")
