"""Which text encoder goes with which network: refused where a wrong pair can be told, warned about where not.

Every released network takes queries of 768 numbers, so that any text encoder runs with any network, and a wrong one
gives plausible but wrong masks. What was released (Docs/released-models.md): U-Nets with each of the three text
encoders, U-Mamba and SwinUNETR with MedCPT only, the large U-Net with SAT's own only.
"""

from __future__ import annotations

from SATSegmentLib.errors import PairMismatch
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.text.encoder import EncoderKind

_TITLES: dict[EncoderKind, str] = {"ours": "SAT's own", "medcpt": "MedCPT", "basebert": "BERT"}

# By the name of the released widths: the text encoders that networks of these widths were released with.
_RELEASED_WITH: dict[str, tuple[EncoderKind, ...]] = {
    "nano": ("ours", "medcpt", "basebert"),
    "pro": ("ours",),
    "umamba": ("medcpt",),
    "swinunetr": ("medcpt",),
}
# Names under which the authors publish checkpoints, and the model each belongs to.
_MODELS = {
    "nano.pth": "SAT-Nano",
    "nano_text_encoder.pth": "SAT-Nano",
    "sat_pro.pth": "SAT-Pro",
    "text_encoder.pth": "SAT-Pro",
}
# Parts of a file's name that say what its text encoder is.
_NAMED_AFTER: dict[str, EncoderKind] = {"cpt": "medcpt", "basebert": "basebert", "base_bert": "basebert"}

_REMEDY = "Use the text encoder that was released with the network; another one gives plausible but wrong masks."


def check_names(network: str, text_encoder: str) -> None:
    """Compare the names of two files, before either is read.

    Raises
    ------
    PairMismatch
        They are of two released models.
    """
    ours, theirs = (_MODELS.get(name.lower()) for name in (network, text_encoder))
    if ours and theirs and ours != theirs:
        raise PairMismatch(f"{network} is {ours}, but {text_encoder} is the text encoder of {theirs}.", _REMEDY)


def check_pair(spec: Spec, network: str, kind: EncoderKind, text_encoder: str) -> str:
    """Compare a released network with a text encoder, by its widths and by the names of both files.

    Parameters
    ----------
    spec : Spec
        Of the network.
    network, text_encoder : str
        Names of the two files.
    kind : str
        Of the text encoder, told by its tensors and its vocabulary.

    Returns
    -------
    str
        What could not be told, for people; empty where nothing is left open, or nothing is known of such a network.

    Raises
    ------
    PairMismatch
        The two do not belong together, or the text encoder's name and its vocabulary contradict each other.
    """
    said = next((one for part, one in _NAMED_AFTER.items() if part in text_encoder.lower()), None)
    if said is not None and said != kind:
        raise PairMismatch(
            f"{text_encoder} is named after {_TITLES[said]}, but its tensors and its vocabulary are those of "
            f"{_TITLES[kind]}.",
            f"Use the tokenizer files of {_TITLES[said]}, or the text encoder's own name.",
        )
    released = next((name for name, one in NAMED_SPECS.items() if one == spec), None)
    if released is None:
        return ""
    fitting = _RELEASED_WITH[released]
    model = _MODELS.get(network.lower())
    if model is not None:
        fitting = ("ours",)
    if kind not in fitting:
        names = " or ".join(_TITLES[one] for one in fitting)
        raise PairMismatch(
            f"{text_encoder} is a text encoder of the kind {_TITLES[kind]}, but networks like {network} were released "
            f"with {names} only.",
            _REMEDY,
        )
    if len(fitting) > 1:
        return (
            f"Networks of the shape of {network} were released with {len(fitting)} different text encoders, and "
            f"nothing in the files tells which is whose. Make sure that {text_encoder} came from the same folder."
        )
    return ""
