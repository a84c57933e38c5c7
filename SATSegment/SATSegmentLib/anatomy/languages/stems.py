"""One form for the inflections of a word: "rechte Nieren" and "der rechten Niere" have the same stems.

The rules are light on purpose: they take off endings of number, gender and case, and nothing that makes another word.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_VOWELS_ROMANCE = "aeo"


def _german(word: str) -> str:
    if len(word) > 5 and word.endswith(("us", "is", "um", "i", "ae")):
        # Latin, with its plurals: "Hippocampi", "Venae pulmonales".
        return word[:-1] if word.endswith("i") else word[:-2]
    if word.endswith("s") and len(word) > 4 and word[-2] not in "es":
        # A genitive, of which the noun may have an ending as well: "Brustbeins".
        word = word[:-1]
    for ending in ("ern", "ers", "ens", "en", "er", "es", "em", "e", "n", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            # "Schlüsselbeine" loses its e, and then the n that "Schlüsselbein" loses.
            return word[:-1] if ending in ("e", "es") and word.endswith("ein") else word
    return word


def _french(word: str) -> str:
    if len(word) > 4 and word.endswith("aux"):
        word = word[:-3] + "al"
    elif len(word) > 3 and word[-1] in "sx":
        word = word[:-1]
    if len(word) > 5 and word.endswith("enne"):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def _spanish(word: str) -> str:
    if len(word) > 3 and word.endswith("s"):
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] in _VOWELS_ROMANCE else word


def _portuguese(word: str) -> str:
    for ending, singular in (("oes", "ao"), ("aes", "ao"), ("ais", "al"), ("eis", "el"), ("ns", "m")):
        if len(word) > 3 and word.endswith(ending):
            word = word[: -len(ending)] + singular
            break
    else:
        if len(word) > 3 and word.endswith("s"):
            word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] in _VOWELS_ROMANCE else word


def _italian(word: str) -> str:
    stem = re.sub(r"[aeio]{1,2}$", "", word)
    if len(stem) < 3:
        return word
    return stem[:-1] if stem.endswith(("ch", "gh")) else stem


STEMMERS: dict[str, Callable[[str], str]] = {
    "de": _german, "fr": _french, "es": _spanish, "it": _italian, "pt": _portuguese,
}  # fmt: skip

_PLURAL_ENDINGS = {
    "de": ("n", "en", "e", "er", "i", "ae"),
    "fr": ("s", "x"),
    "es": ("s",),
    "it": ("i", "e"),
    "pt": ("s",),
}
# Endings of nouns that change in the plural instead of growing.
_CHANGES = {
    "de": (("us", "i"), ("is", "es"), ("um", "a"), ("a", "ae")),
    "fr": (("al", "aux"), ("ail", "aux")),
    "es": (("z", "ces"),),
    "it": (("o", "i"), ("a", "e"), ("e", "i"), ("io", "i"), ("co", "chi"), ("ca", "che"), ("ga", "ghe"), ("go", "ghi"),
           ("osso", "ossa"), ("labbro", "labbra")),
    "pt": (("ao", "oes"), ("ao", "aes"), ("m", "ns"), ("al", "ais"), ("el", "eis"), ("ol", "ois")),
}  # fmt: skip
_GROWS = {
    "de": ("n", "en", "e", "er", "ern", "s", "es", "ns", "ens"),
    "fr": ("s", "x"),
    "es": ("s", "es"),
    "it": (),
    "pt": ("s", "es"),
}


def is_inflection(language: str, typed: str, listed: str) -> bool:
    """Whether a noun that has the stem of a listed one is a form of it: "Lebern" of "Leber", but not "Leben"."""
    if typed == listed or any(typed == listed + ending for ending in _GROWS[language]):
        return True
    return any(
        listed.endswith(old) and typed == listed[: len(listed) - len(old)] + new for old, new in _CHANGES[language]
    )


def looks_plural(language: str, typed: str, listed: str) -> bool:
    """Whether a word that has the stem of a listed one is its plural; a genitive ("des Femurs") is none."""
    return typed != listed and typed.endswith(_PLURAL_ENDINGS[language])
