"""Which released model a network is, and which text encoder goes with it: told, refused, or asked.

Every released network takes queries of 768 numbers, so that any text encoder runs with any network, and a wrong one
gives plausible but wrong masks. Five of the eight released networks have SAT-Nano's shape: only a file's name, the
text encoder beside it, or a person tells them apart (Docs/released-models.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from SATSegmentLib.errors import PairMismatch, ReleaseQuestion
from SATSegmentLib.models.folder import CHALLENGE_FAMILY
from SATSegmentLib.models.releases import RELEASES, Release
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.checkpoint.family import Family
from SATSegmentLib.sat.text.encoder import EncoderKind

_TITLES: dict[EncoderKind, str] = {"ours": "SAT's own", "medcpt": "MedCPT", "basebert": "BERT"}


# Parts of a file's name that say what its text encoder is.
_NAMED_AFTER: dict[str, EncoderKind] = {"cpt": "medcpt", "basebert": "basebert", "base_bert": "basebert"}

_REMEDY = "Use the text encoder that was released with the network; another one gives plausible but wrong masks."


@dataclass(frozen=True)
class TextSide:
    """What is known of the text encoder beside a network.

    Parameters
    ----------
    kind : str
        Told by its tensors and its vocabulary.
    family : str
        Told by the rows of its modality embedding.
    name : str
        Of its file.
    """

    kind: EncoderKind
    family: Family
    name: str


def check_names(network: str, text_encoder: str) -> None:
    """Compare the names of two files, before either is read.

    Raises
    ------
    PairMismatch
        They are of two released models.
    """
    ours = next((one for one in RELEASES if one.network and one.network == network.lower()), None)
    theirs = next((one for one in RELEASES if one.text_encoder and one.text_encoder == text_encoder.lower()), None)
    if ours and theirs and ours != theirs:
        raise PairMismatch(
            f"{network} is {ours.title}, but {text_encoder} is the text encoder of {theirs.title}.", _REMEDY
        )


def told_release(spec: Spec, network: str, text: TextSide | None, said: str | None = None) -> Release | None:
    """Which released model a network is.

    Parameters
    ----------
    spec : Spec
        Its widths.
    network : str
        Name of its file.
    text : TextSide, optional
        The text encoder it is to be used with.
    said : str, optional
        A name of `RELEASES`, where a person knows.

    Returns
    -------
    Release or None
        None for widths that were never released, of which nothing is known. Where such a network has the name of a
        released one, that one's family, but neither its shape nor its labels.

    Raises
    ------
    PairMismatch
        The two do not belong together, or what was said contradicts the file; or the text encoder's name and its
        vocabulary contradict each other.
    ReleaseQuestion
        It may be one of several, and only a person can tell.
    """
    if text is not None:
        _check_vocabulary(text)
    shape = next((name for name, one in NAMED_SPECS.items() if one == spec), None)
    # Widths that were never released may have a released name, but not that of another backbone.
    candidates = [
        one for one in RELEASES if one.shape == shape or (shape is None and type(NAMED_SPECS[one.shape]) is type(spec))
    ]
    release = _said(candidates, network, said) if said else _named(candidates, network)
    if release is None and shape is not None:
        release = _only_one(candidates, network, text)
    if release is None and text is not None and text.family == CHALLENGE_FAMILY:
        of_challenge = [one for one in candidates if one.family == CHALLENGE_FAMILY]
        if not of_challenge:
            raise PairMismatch(
                f"{text.name} knows five modalities; no network with the backbone of {network} was released for them.",
                _REMEDY,
            )
        raise _question(network, of_challenge)
    if release is not None and text is not None:
        _check_text(release, shape, network, text)
    if release is not None and shape is None:
        return dataclasses.replace(release, shape="", knows_labels=False)
    return release


def doubt_of_pair(release: Release | None, network: str, text: TextSide | None, said: str | None = None) -> str:
    """What of a network, alone or with its text encoder, could not be told, for people; empty where nothing is open."""
    if release is None:
        return ""
    if said:
        named = _named(RELEASES, network)
        if named is None or named.name == release.name:
            return ""
        return (
            f"{network} is the name of {named.title} ({named.folder}), but it was said to be {release.title} "
            f"({release.folder}), and nothing in the file tells them apart. Make sure that it is."
        )
    others = [one for one in RELEASES if one.shape == release.shape and one != release]
    if not others or (text is not None and release.network == network.lower()):
        return ""
    alike = (
        f"{len(others) + 1} released networks have the shape of {network}, and nothing in the file tells them apart. "
    )
    if text is None:
        return (
            f"{alike}By its name alone it was taken for {release.title} ({release.folder}). "
            "Make sure that it is, or say with --release which it is."
        )
    return (
        f"{alike}"
        f"By its text encoder it was taken for {release.title} ({release.folder}). Make sure that {text.name} came "
        "from the same folder."
    )


def _check_vocabulary(text: TextSide) -> None:
    said = next((one for part, one in _NAMED_AFTER.items() if part in text.name.lower()), None)
    if said is not None and said != text.kind:
        raise PairMismatch(
            f"{text.name} is named after {_TITLES[said]}, but its tensors and its vocabulary are those of "
            f"{_TITLES[text.kind]}.",
            f"Use the tokenizer files of {_TITLES[said]}, or the text encoder's own name.",
        )


def _said(candidates: Sequence[Release], network: str, said: str) -> Release:
    for one in candidates:
        if one.name == said:
            return one
    raise PairMismatch(
        f"{network} does not have the shape of {said}.",
        f"By its shape it may be {_listed(candidates)}." if candidates else "",
    )


def _named(candidates: Iterable[Release], network: str) -> Release | None:
    name = network.lower()
    for one in candidates:
        if name == one.network or (one.family == CHALLENGE_FAMILY and CHALLENGE_FAMILY in name):
            return one
    return None


def _only_one(candidates: Sequence[Release], network: str, text: TextSide | None) -> Release:
    """The one release that shape and text encoder leave."""
    if len(candidates) == 1:
        return candidates[0]
    fitting = [one for one in candidates if text is None or (one.text, one.family) == (text.kind, text.family)]
    # Beside the challenge's text encoder SAT-Nano's own network would look the same: that is asked.
    if len(fitting) == 1 and fitting[0].family != CHALLENGE_FAMILY:
        return fitting[0]
    raise _question(network, fitting or candidates)


def _question(network: str, candidates: Sequence[Release]) -> ReleaseQuestion:
    return ReleaseQuestion(
        f"Several released networks have the shape of {network}, and nothing in the file tells which it is.",
        f"Say it with --release: {_listed(candidates)}.",
        candidates=[one.name for one in candidates],
    )


def _check_text(release: Release, shape: str | None, network: str, text: TextSide) -> None:
    if text.family != release.family:
        rows = "five modalities" if text.family == CHALLENGE_FAMILY else "four modalities"
        raise PairMismatch(
            f"{text.name} knows {rows}, but {network} was taken for {release.title} ({release.folder}).", _REMEDY
        )
    # Of widths that were never released nobody knows what text encoder they were trained with.
    if shape is not None and text.kind != release.text:
        raise PairMismatch(
            f"{text.name} is a text encoder of the kind {_TITLES[text.kind]}, but {release.title} ({release.folder}) "
            f"was released with {_TITLES[release.text]} only.",
            _REMEDY,
        )


def _listed(releases: Iterable[Release]) -> str:
    return ", ".join(f"{one.name} ({one.folder}, with {_TITLES[one.text]} text encoder)" for one in releases)
