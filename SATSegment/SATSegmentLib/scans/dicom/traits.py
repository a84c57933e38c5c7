"""What tells the volumes of one series apart: echo, b-value, time, contrast phase, ..."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydicom.dataset import Dataset

# Values by their label. The labels are shown to people and keep the order in which they are tried.
Traits = Mapping[str, str | float]

# Frames that differ in one of these never belong to one volume, wherever they lie.
STRONG = ("part", "echo number", "echo time", "b-value", "gradient direction", "time point", "ASL context")
# These make a difference only where two frames lie at the same place: some change from slice to slice.
WEAK = (
    "image type", "stack", "contrast phase", "contrast agent", "cardiac phase", "trigger delay", "inversion time",
    "flip angle", "repetition time", "velocity encoding", "kV", "kernel", "respiratory phase", "acquisition",
    "reconstruction diameter", "dimension index",
)  # fmt: skip
# Some of them also tell volumes apart whose slices lie between each other's. Acquisition and times do not: a scanner
# may take every other slice first.
APART = (
    "contrast phase", "contrast agent", "cardiac phase", "respiratory phase", "velocity encoding", "kV", "kernel",
    "flip angle", "image type", "reconstruction diameter",
)  # fmt: skip
# Of these only the order counts: at each place the earliest frame belongs to the first volume, and so on.
ORDERED = ("frame reference time", "acquisition time", "trigger time", "content time")
UNITS = {
    "echo time": " ms", "b-value": " s/mm2", "trigger delay": " ms", "inversion time": " ms", "flip angle": " degrees",
    "repetition time": " ms", "reconstruction diameter": " mm", "time offset": " s",
}  # fmt: skip


class ClassicTraits(Mapping[str, "str | float"]):
    """Of a file with one slice, each read when it is asked for: most series need few of them, and parsing takes time.

    Parameters
    ----------
    data : Dataset
        The header.
    """

    def __init__(self, data: Dataset) -> None:
        self._data = data
        self._known: dict[str, str | float | None] = {}

    def __getitem__(self, label: str) -> str | float:
        if label not in self._known:
            self._known[label] = _cleaned(label, _CLASSIC[label](self._data)) if label in _CLASSIC else None
        value = self._known[label]
        if value is None:
            raise KeyError(label)
        return value

    def __iter__(self) -> Iterator[str]:
        return (label for label in _CLASSIC if self.get(label) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def enhanced_traits(data: Dataset, group: Callable[[str], Dataset]) -> dict[str, str | float]:
    """Of a frame in a multi-frame file; `group` finds its functional groups."""
    content, diffusion = group("FrameContentSequence"), group("MRDiffusionSequence")
    kind = next(
        (
            group(name)
            for name in ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence")
            if group(name)
        ),
        Dataset(),
    )
    types = [str(part) for part in _list(kind.get("FrameType"))]
    gradient = (diffusion.get("DiffusionGradientDirectionSequence") or [Dataset()])[0]
    contrast, cardiac = group("ContrastBolusUsageSequence"), group("CardiacSynchronizationSequence")
    timing, velocity = group("MRTimingAndRelatedParametersSequence"), group("MRVelocityEncodingSequence")
    found: dict[str, Any] = {
        "part": kind.get("ComplexImageComponent") or _complex_part(types),
        "echo time": group("MREchoSequence").get("EffectiveEchoTime"),
        "b-value": diffusion.get("DiffusionBValue"),
        "gradient direction": _joined(gradient.get("DiffusionGradientOrientation")),
        "time point": content.get("TemporalPositionIndex")
        or group("TemporalPositionSequence").get("TemporalPositionTimeOffset"),
        "ASL context": group("MRArterialSpinLabelingSequence").get("ASLContext"),
        "image type": "\\".join(types),
        "stack": content.get("StackID"),
        "contrast phase": contrast.get("ContrastBolusAgentPhase"),
        "contrast agent": contrast.get("ContrastBolusAgentAdministered"),
        "cardiac phase": cardiac.get("NominalPercentageOfCardiacPhase"),
        "trigger delay": cardiac.get("NominalCardiacTriggerDelayTime"),
        "inversion time": _joined(group("MRModifierSequence").get("InversionTimes")),
        "flip angle": timing.get("FlipAngle"),
        "repetition time": timing.get("RepetitionTime"),
        "velocity encoding": _joined(velocity.get("VelocityEncodingDirection")),
        "kV": group("CTXRayDetailsSequence").get("KVP"),
        "kernel": group("CTReconstructionSequence").get("ConvolutionKernel"),
        "respiratory phase": group("RespiratorySynchronizationSequence").get("NominalPercentageOfRespiratoryPhase"),
        "acquisition": content.get("FrameAcquisitionNumber"),
        "acquisition time": content.get("FrameAcquisitionDateTime") or content.get("FrameReferenceDateTime"),
    }
    return {**_clean(found), **_dimensions(data, content)}


def told(label: str, value: str | float) -> str:
    """A trait in words: `echo time 4.6 ms`."""
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{label} {shown}{UNITS.get(label, '')}"


def _dimensions(data: Dataset, content: Dataset) -> dict[str, str | float]:
    """The frame's place in the file's own dimensions; those that only count slices tell nothing apart."""
    values = _list(content.get("DimensionIndexValues"))
    pointers = data.get("DimensionIndexSequence") or []
    kept = []
    for number, value in enumerate(values):
        pointer = pointers[number] if number < len(pointers) else Dataset()
        keyword = _keyword(pointer.get("DimensionIndexPointer"))
        if keyword not in ("InStackPositionNumber", "ImagePositionPatient", "SliceLocation", "StackID"):
            kept.append(f"{keyword or f'dimension {number + 1}'} {value}")
    return {"dimension index": ", ".join(kept)} if kept else {}


def _keyword(tag: Any) -> str:
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag) if tag is not None else ""


def _complex_part(types: list[str]) -> str:
    """Magnitude, phase, real or imaginary, as vendors write it into the third and later values of ImageType."""
    names = {
        **{"M": "magnitude", "P": "phase", "R": "real", "I": "imaginary"},
        **{"MAGNITUDE": "magnitude", "PHASE": "phase", "REAL": "real", "IMAGINARY": "imaginary"},
        **{"M_FFE": "magnitude", "PHASE MAP": "phase", "P_FFE": "phase", "R_FFE": "real", "I_FFE": "imaginary"},
        **{"M_SE": "magnitude", "P_SE": "phase", "R_SE": "real", "I_SE": "imaginary"},
        **{"M_IR": "magnitude", "P_IR": "phase", "R_IR": "real", "I_IR": "imaginary"},
    }
    return next((names[part.strip().upper()] for part in types[2:] if part.strip().upper() in names), "")


def _b_value(data: Dataset) -> Any:
    if data.get("DiffusionBValue") is not None:
        return data.DiffusionBValue
    for tag in ((0x0019, 0x100C), (0x2001, 0x1003), (0x0043, 0x1039)):
        if tag in data:
            first = _list(data[tag].value)[:1]
            try:
                # General Electric adds a billion to the value that was asked for.
                return float(first[0]) % 1e9
            except (IndexError, TypeError, ValueError):
                continue
    return None


def _moment(data: Dataset) -> str:
    return f"{data.get('AcquisitionDate') or ''}{data.get('AcquisitionTime') or ''}"


def _list(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str | int | float | bytes) else list(value)


def _joined(value: Any) -> str:
    return ", ".join(f"{one:.3g}" if isinstance(one, float) else str(one) for one in _list(value))


def _clean(found: dict[str, Any]) -> dict[str, str | float]:
    cleaned = ((label, _cleaned(label, value)) for label, value in found.items())
    return {label: value for label, value in cleaned if value is not None}


def _cleaned(label: str, value: Any) -> str | float | None:
    if value is None or value == "" or value == []:
        return None
    try:
        # Four digits: headers of one and the same echo differ in the fifth.
        return float(value) if label in ORDERED else float(f"{float(value):.4g}")
    except (TypeError, ValueError):
        return value.strip() if isinstance(value, str) else _joined(value)


def _image_type(data: Dataset) -> list[str]:
    return [str(part) for part in _list(data.get("ImageType"))]


def _named(keyword: str) -> Callable[[Dataset], Any]:
    return lambda data: data.get(keyword)


_CLASSIC: dict[str, Callable[[Dataset], Any]] = {
    "part": lambda data: _complex_part(_image_type(data)),
    "echo number": _named("EchoNumbers"),
    "echo time": _named("EchoTime"),
    "b-value": _b_value,
    "time point": _named("TemporalPositionIdentifier"),
    "image type": lambda data: "\\".join(_image_type(data)),
    "contrast agent": _named("ContrastBolusAgent"),
    "inversion time": _named("InversionTime"),
    "flip angle": _named("FlipAngle"),
    "repetition time": _named("RepetitionTime"),
    "kV": _named("KVP"),
    "kernel": _named("ConvolutionKernel"),
    "acquisition": _named("AcquisitionNumber"),
    "reconstruction diameter": _named("ReconstructionDiameter"),
    "frame reference time": _named("FrameReferenceTime"),
    "acquisition time": lambda data: data.get("AcquisitionDateTime") or _moment(data),
    "trigger time": _named("TriggerTime"),
    "content time": _named("ContentTime"),
}
