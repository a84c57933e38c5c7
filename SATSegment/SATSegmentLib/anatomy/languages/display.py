"""How a label is called in one language: the preferred name with its side and number, beside the trained string."""

from __future__ import annotations

import re
from functools import lru_cache

from SATSegmentLib.anatomy.languages.grammar import LANGUAGES, load_grammars
from SATSegmentLib.anatomy.languages.names import load_names
from SATSegmentLib.anatomy.text.bases import base_of

TRADITIONAL = "zh-Hant"
# Languages that a user can choose, with what each calls itself.
TITLES = {
    "en": "English", "de": "Deutsch", "fr": "Français", "es": "Español", "it": "Italiano", "pt": "Português",
    "zh": "简体中文", TRADITIONAL: "繁體中文", "ja": "日本語",
}  # fmt: skip


def language_of(locale: str) -> str:
    """The language of a locale's name ("de_DE", "zh_TW", "pt-BR"); "en" for all that have no names here."""
    parts = re.split(r"[_\-.@]", locale.strip())
    code = parts[0].lower()
    if code == "zh" and {part.upper() for part in parts[1:]} & {"TW", "HK", "MO", "HANT"}:
        return TRADITIONAL
    return code if code in LANGUAGES else "en"


@lru_cache(maxsize=2048)
def local_name(label: str, language: str) -> str:
    """What a trained string is called in a language: "left kidney" in "de" is "Niere links"; empty where unknown.

    Parameters
    ----------
    label : str
        A trained string, or the name of a composite that the language has one for.
    language : str
        A key of `TITLES`; "en" has no names beside the trained ones.
    """
    code = "zh" if language == TRADITIONAL else language
    if code not in LANGUAGES:
        return ""
    preferred = load_names(code).preferred
    base, side, number = base_of(label)
    name = preferred.get(base) or preferred.get(f"={base}")
    if name is None:
        return ""
    shown = with_side(name.text.replace("<n>", number), side, code, name.gender or "m")
    return _traditional(shown) if language == TRADITIONAL else shown


def with_side(name: str, side: str, language: str, gender: str = "") -> str:
    """A name with its side as the language says it; the name alone where there is none.

    Parameters
    ----------
    name, side, language : str
        Str
    gender : str
        "m" or "f", with "p" for a plural; empty where it is not known.
    """
    grammar = load_grammars()[language]
    if side not in grammar.side_forms:
        return name
    if not gender:
        return grammar.short_side_forms[side].format(name=name)
    feminine, plural = gender.startswith("f"), gender.endswith("p")
    if language == "it":
        vowel = ("e" if feminine else "i") if plural else ("a" if feminine else "o")
    else:
        vowel = "a" if feminine else "o"
    return grammar.side_forms[side].format(name=name, o=vowel, e="e" if feminine else "", s="s" if plural else "")


def _traditional(text: str) -> str:
    table = load_grammars()["zh"].to_simplified
    return text.translate({ord(simple): chr(traditional) for traditional, simple in table.items()})
