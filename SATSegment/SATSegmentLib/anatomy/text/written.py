"""How a name is written around its words: signs, copies, files, margins, and the grammar of TG-263.

A sign is not a space. "~Lung_L" is a part of the left lung, "Liver-GTV" what is left of the liver without the tumour,
"zLiver" a helper of a treatment plan, "liver_1" a copy. Each of them has a name inside, and something else that says
that more, less or another thing is meant; `read_written` takes the two apart. What is taken off is never dropped
silently: the resolver asks.

The grammar is that of AAPM Task Group 263 (Mayo et al., Int J Radiat Oncol Biol Phys 2018;100:1057-1066): "~" a partial
contour, a leading "z" or "_" a structure that is not evaluated, "-" cropped by, "^" a site's own qualifier, "PRV" a
margin in millimetres.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from SATSegmentLib.anatomy.text.lazy import LazyPattern

_MAX_PEELS = 8

# Slicer gives every new segment such a name.
DEFAULT_NAME = LazyPattern(r"\s*(?:Segment|Structure|Label|Region|Volume|ROI|Object|Tissue)_\d+(?:[_ ]\d+)*\s*")
# A score is named after an organ, and is none.
SCORE = LazyPattern(r"(?<![^\W_])(?:lung|li|pi|bi|ti|ni|bone|node|vi|o)[-\s]?rads(?![^\W_])", re.IGNORECASE)

# What stands in front and changes what is meant; always taken off.
_LEAD_SIGN = LazyPattern(r"(?:[~!#*^@=<>|\\$%&§+?]|[-−‐‑–—](?!\d)|_(?=[^\W_]))+\s*")
_LEAD_HELPER = LazyPattern(
    r"(?:z_?(?=[A-Z])|z_(?=\w)|(?:PRV|Ring|Shell|Opt|OPT|opt|Eval|PlanRisk|Avoid|DNU|Crop|Exp|OLD|Old|Dose|Hot|Cold)"
    r"(?:_|(?=[A-Z][a-z])))"
)
_LEAD_MASK = LazyPattern(
    r"(?:[Ss]egment|[Ll]abel|[Ss]tructure|[Rr]egion|[Oo]bject|ROI|roi)_\d+[_\s.-]+(?=[^\W\d_])"
    r"|(?:[Ss]eg|[Mm]ask|[Pp]red|gt|GT|[Ll]abel|[Rr]oi|ROI|[Cc]ontour)_(?=[^\W\d_])"
)
# What stands behind and changes what is meant; always taken off.
_TAIL_SIGN = LazyPattern(r"\s*(?:\^.*|[~!*#^=<>|\\$%&§+@]+|\+\s*/?-?|[-−‐‑–—]+)\s*$")
_PRV = LazyPattern(r"[\s_]*(?<![A-Za-z])PRV[\s_]?\d{0,2}(?:mm)?(?![A-Za-z])")
_MARGIN = LazyPattern(
    r"[\s_]*(?:[+−–±-]|\bplus\b|\bminus\b|\bexp(?:anded|ansion)?(?:\s+by)?\b)?\s*\d+(?:[.,]\d+)?\s*(?:mm|cm)(?![^\W_])"
    r"(?:\s+(?:margin|ring|shell|expansion))?\s*$",
    re.IGNORECASE,
)
# "liver - tumor", "liver − tumor", "kidney (-tumor)", "liver without tumor"
_TAKEN_AWAY = LazyPattern(r"\s*[\\|∖<>=]\s*(?=\S)|\s+[-‐‑–—]\s*(?=\S)|\s*−\s*(?=\S)|\s*[(\[]\s*[-−‐‑–—]\s*(?=\S)")
_WITHOUT = LazyPattern(
    r"\s*[\s(\[,]\s*(?:no|minus|without|ohne|senza|w/o|excluding|exclusive\s+of|excl\.?|except(?:\s+for)?|but\s+not|sans|less|not)\s+(?=\S)",
    re.IGNORECASE,
)
_HYPHEN = LazyPattern(r"(?<=[^\W_])[-‐‑–—](?=[^\W\d_])")
# Targets of a treatment plan with a letter or number of their own: GTV, GTVp, CTV_5000, PTV!.
_TARGET = LazyPattern(r"[iems]?[gcip]tv(?![b-mo-z]{2})[\w-]{0,12}!?", re.IGNORECASE)

# What is taken off only where the whole is no name: copies, files, and what one calls a mask.
_OPTIONAL = (
    LazyPattern(
        r"(?:\.seg|\.label|[_.-]?seg(?:mentation)?(?=\.))?\.(?:nii(?:\.gz)?|nrrd|nhdr|mh[ad]|mg[zh]|stl|obj|vt[kp]|ply|dcm|np[yz]|png|tiff?"
        r"|mrb|json|gz)\s*$",
        re.IGNORECASE,
    ),
    LazyPattern(
        r"[\s_.\-–]+(?:copy|copies|kopie|copie|copia|dup|duplicate|backup|bak|old|new|final|edit(?:ed)?|fixed|"
        r"corrected|draft|temp|tmp|test|auto|manual|pred(?:iction)?|gt|crop(?:ped)?|opt|eval|avoid|ring|shell|only|"
        r"margin|expanded|dilated|eroded|smooth(?:ed)?|dvh|v\d+|ver\d+|rev\d+|version\s*\d+)(?:[\s_.]*\(?\d{0,3}\)?)\s*$",
        re.IGNORECASE,
    ),
    LazyPattern(
        r"[\s_.\-–]+(?:masks?|segmentations?|segs?|labels?|label\s?maps?|rois?|contours?|outlines?|surfaces?|mesh(?:es)?|"
        r"models?|volumes?|regions?|structure\s+set|structs?|objects?)\s*$",
        re.IGNORECASE,
    ),
    LazyPattern(r"(?<=[^\W_])[\s_.\-–]*\(\s*#?\d{1,3}\s*\)\s*$"),
    LazyPattern(r"(?<=[^\W_])\s*#\s*\d{1,4}\s*$"),
    LazyPattern(r"(?<=[^\W_])[\s_.\-–]+\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}\s*$"),
    LazyPattern(r"(?<=[^\W\d_])(?:[\s_.:\-–]+|(?<=[^\W\d_]{3}))\d{1,8}\s*$"),
    LazyPattern(
        r"^\s*\d{1,8}(?:[\s_.:)\-–]+)(?!st|nd|rd|th|rib|costa|vert|lumbar|cervical|seg|ventr)(?=[^\W\d_]{3})",
        re.IGNORECASE,
    ),
    LazyPattern(r"^\s*(?:masks?|rois?|pred(?:iction)?|labels?|contours?|outlines?)\s+(?=[^\W\d_]{3})", re.IGNORECASE),
    LazyPattern(r"^\s*[^\W\d_]+[\s-]free\s+(?=[^\W\d_]{3})", re.IGNORECASE),
    LazyPattern(r"(?<=\d)[_.]\d{1,4}\s*$"),
    LazyPattern(
        r"^\s*(?:a\s+)?(?:copy|mask|segmentation|contour|outline|label|roi|model|volume)\s+of\s+(?:the\s+)?",
        re.IGNORECASE,
    ),
    LazyPattern(
        r"^\s*(?:phase|series|image|slice|frame|time\s?point|visit|scan|case|patient|grade)[\s_#]*\d+[\s_:\-–]+",
        re.IGNORECASE,
    ),
)  # fmt: skip
# A number right behind one of these says which.
_COUNTED_BEFORE = LazyPattern(
    r"(?<![^\W_])(?:ribs?|costae?|vert(?:ebrae?|ebral|ebra)?|vb|segments?|segs?|segm|sg|couinaud|dis[ck]s?|levels?|lumbar|thoracic|"
    r"dorsal|cervical|sacral|spine|body|cranial[\s_]nerve|cn|no|nr|number|numbers|ventricles?|ventriculus|zone|area|grade|stage|s|c|t|"
    r"l|d|th|station|lobule|layer|digit|ray|toe|finger|metacarpal|metatarsal|molar|tooth|and|to|ba|ca)[\s_.\-–#(]*$",
    re.IGNORECASE,
)


class Written(NamedTuple):
    """A text taken apart.

    Attributes
    ----------
    name : str
        What is left to be read as a name.
    left_out : tuple of str
        What was taken off, as it was written, in the order in which it was taken off; empty for a plain name.
    """

    name: str
    left_out: tuple[str, ...] = ()


def read_written(text: str, is_name: Callable[[str], bool]) -> Written:
    """Take off what is written around a name.

    Parameters
    ----------
    text : str
        What was typed.
    is_name : callable
        Whether a text is a name as it stands; such a text keeps its numbers and last words.
    """
    name, left_out = text.strip(), []
    for _ in range(_MAX_PEELS):
        peeled = _peel(name, is_name)
        if peeled is None:
            break
        name, taken = peeled
        left_out.append(taken)
    return Written(name, tuple(left_out))


def _peel(name: str, is_name: Callable[[str], bool]) -> tuple[str, str] | None:
    for pattern in (_LEAD_SIGN, _LEAD_MASK):
        if (match := pattern.match(name)) and _names(name[match.end() :]):
            return name[match.end() :].strip(), match[0].strip()
    match = _LEAD_HELPER.match(name)
    if match and _names(name[match.end() :]) and not is_name(name):
        return name[match.end() :].strip(), match[0].strip()
    for pattern in (_TAIL_SIGN, _PRV):
        if (match := pattern.search(name)) and _names(name[: match.start()]):
            return (name[: match.start()] + name[match.end() :]).strip(), match[0].strip()
    if apart := _taken_away(name, is_name):
        return apart
    apart = _optional(name)
    return None if apart is None or is_name(name) else apart


def _optional(name: str) -> tuple[str, str] | None:
    """What is taken off only where the whole is no name."""
    if (match := _WITHOUT.search(name)) and _names(name[: match.start()]):
        return name[: match.start()].strip(), name[match.start() :].strip()
    if (match := _MARGIN.search(name)) and _names(name[: match.start()]):
        return name[: match.start()].strip(), match[0].strip()
    for pattern in _OPTIONAL:
        if (match := pattern.search(name)) is None:
            continue
        rest = (name[: match.start()] + name[match.end() :]).strip(" \t_.-–")
        counts = match[0].strip(" _.-–#()").isdigit() and _COUNTED_BEFORE.search(name[: match.start()])
        if not counts and _names(rest):
            return rest, match[0].strip()
    return None


def _taken_away(name: str, is_name: Callable[[str], bool]) -> tuple[str, str] | None:
    """The name in front of what is taken away from it: "Liver-GTV", "liver - tumor"."""
    match = _TAKEN_AWAY.search(name)
    if match and _names(name[: match.start()]) and _names(name[match.start() :]):
        return name[: match.start()].strip(), name[match.start() :].strip()
    joined = list(_HYPHEN.finditer(name))
    # "left-kidney-cyst" is a name with hyphens for spaces.
    spaced = len(joined) > 1 and not re.search(r"[\s_]", name) and is_name(name)
    for match in joined:
        before, behind = name[: match.start()], name[match.end() :].strip()
        lesion = not spaced and _LESIONS.fullmatch(behind)
        if _TARGET.fullmatch(behind) or (lesion and is_name(before)):
            return before, name[match.start() :].strip()
    return None


_LESIONS = LazyPattern(
    r"tumou?rs?|lesions?|mets?|metastas[ei]s|cancers?|mass(?:es)?|cysts?|nodules?|o?edema|effusions?|vessels?|infarcts?|"
    r"ha?emorrhages?|embol(?:us|i|ism)|scars?|strokes?",
    re.IGNORECASE,
)
_SIDES_AND_FILLERS = LazyPattern(
    r"[\W\d_]*(?:(?:left|right|lt|rt|l|r|both|bilateral|bilat|sided|side|sin|dext|sinister|dexter|no|nr|and|the|of|all|whole)"
    r"(?![^\W\d_])[\W\d_]*|(?:th|[ctdls])[.\s-]?\d{1,2}(?![^\W_])[\W\d_]*|(?:viii|vii|vi|v|iv|iii|ii|ix|x|i)(?![^\W_])[\W\d_]*)*",
    re.IGNORECASE,
)  # fmt: skip


def _names(text: str) -> bool:
    """Whether there is a word in it beside sides and fillers."""
    return _SIDES_AND_FILLERS.fullmatch(text) is None
