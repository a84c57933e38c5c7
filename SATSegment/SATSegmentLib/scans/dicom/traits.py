"""What tells the volumes of one series apart: echo, b-value, time, contrast phase, ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
# Of these only the order counts: at each place the earliest frame belongs to the first volume, and so on.
ORDERED = ("frame reference time", "acquisition time", "trigger time", "content time")
UNITS = {
    "echo time": " ms", "b-value": " s/mm2", "trigger delay": " ms", "inversion time": " ms", "flip angle": " degrees",
    "repetition time": " ms", "reconstruction diameter": " mm", "time offset": " s",
}  # fmt: skip


def classic_traits(data: Dataset) -> dict[str, str | float]:
    """Of a file with one slice."""
    types = [str(part) for part in _list(data.get("ImageType"))]
    found: dict[str, Any] = {
        "part": _complex_part(types),
        "echo number": data.get("EchoNumbers"),
        "echo time": data.get("EchoTime"),
        "b-value": _b_value(data),
        "time point": data.get("TemporalPositionIdentifier"),
        "image type": "\\".join(types),
        "contrast agent": data.get("ContrastBolusAgent"),
        "inversion time": data.get("InversionTime"),
        "flip angle": data.get("FlipAngle"),
        "repetition time": data.get("RepetitionTime"),
        "kV": data.get("KVP"),
        "kernel": data.get("ConvolutionKernel"),
        "acquisition": data.get("AcquisitionNumber"),
        "reconstruction diameter": data.get("ReconstructionDiameter"),
        "frame reference time": data.get("FrameReferenceTime"),
        "acquisition time": data.get("AcquisitionDateTime") or _moment(data),
        "trigger time": data.get("TriggerTime"),
        "content time": data.get("ContentTime"),
    }
    return _clean(found)


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
    kept: dict[str, str | float] = {}
    for label, value in found.items():
        if value is None or value == "" or value == []:
            continue
        try:
            # Four digits: headers of one and the same echo differ in the fifth.
            kept[label] = float(f"{float(value):.4g}") if label not in ORDERED else float(value)
        except (TypeError, ValueError):
            kept[label] = _joined(value) if not isinstance(value, str) else value.strip()
    return kept
