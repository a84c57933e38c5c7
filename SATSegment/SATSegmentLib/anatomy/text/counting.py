"""What a number or a level counts: "segment 2" of the lung is none of the liver, "T3 cancer" no vertebra.

A number belongs to what stands beside it. The resolver asks this of a prompt, the report reader of a sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from SATSegmentLib.anatomy.text.lazy import LazyPattern

# Other things with numbered segments than the liver: beginnings of words.
_OTHER_SEGMENTS = LazyPattern(
    r"lung|pulmon|bronch|lobe|lobar|apical|lingul|airway|coronar|arter(?:y|ies)\Z|vessel|aort|carotid|vertebr|basilar|cerebral|aha|"
    r"myocard|cardiac|heart|ventric|wall|scar|infarct|septal|kidney|renal|colon|bowel|ureter|urethra|spin(?:e|al)|cord|"
    r"duoden|pancrea|esophag|trachea|gyr|chest|late\Z|"
    r"(?:rca|lad|lcx|cx|lca|lmca|ica|mca|aca|pca|sma|ima|ecg|st|rul|rml|rll|lul|lll|ba|va|cca|eca|pica)\Z"
)
_LIVER = LazyPattern(r"liver|hepat|couinaud|li\Z|caudate|hcc|cirrho|biliar|steatos|tace\Z|tipss?\Z")
# "V2", "M1", "P2", "A1", "I1": letter and number of an artery's or another part's own count.
CODE = LazyPattern(r"[abe-km-ru-z]\d{1,2}[a-d]?")
# "C4 segment" is of the carotid, "S1 segment" of the lung, "T10 segment" of the cord.
_SEGMENT = LazyPattern(r"seg(?:ment(?:s|al|ation)?|s|m)?\Z")

# What a level is not, by the word in front of it ...
_BEFORE_LEVEL = LazyPattern(
    r"(?:stages?|staged|grade|graded|category|score|class|type|pt|ct|yp|yt|slices?|images?|series|img|im|ser|frames?|"
    r"sequences?|room|bed|lead|anti|free|serum|total|ft|vitamin|zone|weighted|pathologic|station|phase|segments?|dlp|"
    r"roots?|nerves?|dermatomes?|myotomes?|radiculopathy|figo|uicc|tnm|ajcc)\Z"
)
# ... and behind it: a sequence (T1, T2), a nerve, a laboratory value, a muscle measured there, an image.
_SEQUENCE = LazyPattern(
    r"weight|hyperint|hypoint|isoint|signal|flair|bright|dark|sequenc|prolong|relax|time|image|shorten|map|shine|w\Z|"
    r"tse|fse|fs\Z|stir|dixon|contrast|black|high|low|increas"
)
_BEHIND_LEVEL = LazyPattern(
    r"nerves?\Z|roots?\Z|radicul|dermatom|myotom|innervat|deficien|complement|hormone|toxicos|thyrox|muscle|smi\Z|"
    r"skeletal|slice|i\d{0,3}\Z|im\d*\Z"
)
_STAGED = LazyPattern(r"tumou?r|stage|disease|carcinom|cancer|adenocarc|sarcoma|malignan|neoplas|lesion")
_CANCER = LazyPattern(r"cancer|carcinom|adenocarc|malignan")
_TUMOUR = LazyPattern(r"tumou?rs?\Z|mass\Z|neoplasm")
_STAGE_BESIDE = LazyPattern(r"(?:[cpy]{0,2}n[0-3x][a-c]?|[cpy]{0,2}m[01x][a-c]?|n\+|g[1-4])\Z")
_LABORATORY = LazyPattern(r"(?:[pnmµu]?mol|[pnµum]?g|i?u|[mµ]?i?u|miu)(?:/[a-z]{1,2})?\Z")
_STAGES = frozenset(("t1", "t2", "t3", "t4"))
_DUODENUM = LazyPattern(r"duoden|diagonal|coronar|lad\Z|dimer")
_LABORATORY_WORDS = LazyPattern(
    r"tsh\Z|ft[34]\Z|hormone|thyroid function|labs?\Z|laborator|serum|complement|euthyr|hyperthyr"
)


_LUNG = LazyPattern(r"lungs?\Z|lobes?\Z|apical|lingul|bronch|pulmon|r[uml]l\Z|l[ul]l\Z|nodules?\Z|consolidat")
_BONE = LazyPattern(r"sacr|vertebr|fractur|spin[ae]|bon[ey]|lumb|l5\Z|nerve|root|disc|level|lytic|sclerotic|pelvi|ala")
# So many words on each side say what a level is.
_NEAR = 12


def counts_liver_segments(words: Collection[str]) -> bool | None:
    """Whether segments that are counted among these words are the liver's; None where nothing tells."""
    if any(map(_LIVER.match, words)):
        return True
    if any(map(_OTHER_SEGMENTS.match, words)) or any(map(CODE.fullmatch, words)):
        return False
    return None


def is_no_vertebra(words: Sequence[str], first: int, last: int) -> bool:
    """Whether a level is no vertebra: a stage, a sequence, a laboratory value, a nerve root.

    Parameters
    ----------
    words : sequence of str
        The words of a sentence or prompt in small letters, signs among them or not.
    first, last : int
        Where the level, or a list of levels, stands (inclusive).
    """
    level = words[first]
    around = words[max(0, first - _NEAR) : last + 1 + _NEAR]
    before = [word for word in words[max(0, first - 3) : first] if word[0].isalnum()][-2:]
    behind = [word for word in words[last + 1 : last + 6] if word[0].isalnum()][:4]
    if before and _BEFORE_LEVEL.match(before[-1]):
        return True
    if behind and (_BEHIND_LEVEL.match(behind[0]) or _SEGMENT.match(behind[0])):
        return True
    if behind and level in ("t1", "t2") and _SEQUENCE.match(behind[0]):
        return True
    if level[0] == "s" and any(map(_SEGMENT.match, behind[:3])) and counts_liver_segments(behind) is False:
        return True  # "S1 apical segment"
    if level[0] == "s" and any(map(_LUNG.match, around)) and not any(map(_BONE.match, around)):
        return True  # "apical nodule, S1/2"
    if level in _STAGES and _is_stage(before, behind):
        return True
    if level[0] == "d":
        return any(map(_DUODENUM.match, around))
    if level in ("t3", "t4", "c3", "c4") and any(map(_LABORATORY_WORDS.match, around)):
        return True
    if level[0] == "c" and any(word in ("ica", "carotid") for word in around):
        return True
    return _is_value(words, last)


def _is_stage(before: Sequence[str], behind: Sequence[str]) -> bool:
    """ "T2 N1 M0", "T3 rectal cancer", "T1 bladder tumor"."""
    if any(map(_STAGE_BESIDE.match, (*before, *behind[:1]))) or (behind and _STAGED.match(behind[0])):
        return True
    return any(map(_CANCER.match, behind[:3])) or any(map(_TUMOUR.match, behind[1:2]))


def _is_value(words: Sequence[str], last: int) -> bool:
    """ "T4 is 12 pmol/l", "T4: 15.2 ng/dl": a level with a value behind it."""
    linking = (":", "=", "is", "was", "of", "at", "(", "<", ">")
    behind = [word for word in words[last + 1 : last + 6] if word not in linking]
    return len(behind) > 1 and behind[0][0].isdigit() and _LABORATORY.match(behind[1]) is not None


def segments_beside(words: Sequence[str], first: int, last: int) -> bool | None:
    """Whether segments counted at words `first` to `last` (inclusive) are the liver's; None where nothing tells.

    What follows decides before what precedes, and near words before far ones: "segment 2 of the left lung".
    """
    window = words[last + 1 : last + 7]
    stop = next((index for index, word in enumerate(window) if word in (";", ".", "and", "but", "with")), len(window))
    for near in (
        window[:stop],
        words[max(0, first - 4) : first],
        words[max(0, first - 10) : last + 8],
        words[max(0, first - 40) : last + 41],
    ):
        told = counts_liver_segments([word for word in near if word[0].isalnum()])
        if told is not None:
            return told
    return None
