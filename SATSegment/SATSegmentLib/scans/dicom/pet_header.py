"""What SUV needs to know of a PET frame, wherever its file keeps it: classic, enhanced, or converted from classic."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from SATSegmentLib.scans.dicom.frames import Frame

# Units of measurement in UCUM, and the word that classic PET has for them, with the kind of SUV.
_UNITS = {
    "bq/ml": ("BQML", ""), "{counts}": ("CNTS", ""), "{counts}/s": ("CPS", ""), "{propcounts}": ("PROPCNTS", ""),
    "g/ml{suvbw}": ("GML", "BW"), "g/ml{suvlbm}": ("GML", "LBM"), "g/ml{suvlbm(james128)}": ("GML", "LBMJAMES128"),
    "g/ml{suvlbm(janma)}": ("GML", "LBMJANMA"),
}  # fmt: skip


class PetHeader:
    """The attributes of one frame, as a classic slice would have them.

    Parameters
    ----------
    frame : Frame
        A classic slice, or a frame of a multi-frame file.
    """

    def __init__(self, frame: Frame) -> None:
        data = frame.header.data
        own, shared = _groups(data, frame.number)
        # Where a conversion to multi-frame puts what has no place of its own.
        unassigned = [
            *(own.get("UnassignedPerFrameConvertedAttributesSequence") or []),
            *(shared.get("UnassignedSharedConvertedAttributesSequence") or []),
        ]
        self._layers = [*unassigned, data]
        self._derived: dict[str, Any] = {}
        content = (own.get("FrameContentSequence") or [Dataset()])[0]
        if content.get("FrameAcquisitionDateTime"):
            self._derived["AcquisitionDateTime"] = content.FrameAcquisitionDateTime
        if not self.get("Units"):
            self._from_enhanced(frame, own, shared)

    def _from_enhanced(self, frame: Frame, own: Dataset, shared: Dataset) -> None:
        mapping = (own.get("RealWorldValueMappingSequence") or shared.get("RealWorldValueMappingSequence") or [None])[0]
        if mapping is not None:
            code = (mapping.get("MeasurementUnitsCodeSequence") or [Dataset()])[0].get("CodeValue", "")
            units, kind = _UNITS.get(str(code).strip().lower(), (str(code), ""))
            scale = (float(mapping.get("RealWorldValueSlope", 1)), float(mapping.get("RealWorldValueIntercept", 0)))
            if scale != (frame.rescale.slope, frame.rescale.intercept):
                units = "real world values that are not the rescaled ones"
            self._derived |= {"Units": units, "SUVType": kind}
        corrections = [("AttenuationCorrected", "ATTN"), ("DecayCorrected", "DECY")]
        if any(self.get(name) for name, _ in corrections):
            self._derived["CorrectedImage"] = [
                word for name, word in corrections if str(self.get(name)).upper() == "YES"
            ]

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute by its keyword."""
        if name in self._derived:
            return self._derived[name]
        return next((value for layer in self._layers if (value := layer.get(name)) is not None), default)

    def __contains__(self, tag: tuple[int, int]) -> bool:
        return any(tag in layer for layer in self._layers)

    def __getitem__(self, tag: tuple[int, int]) -> Any:
        return next(layer[tag] for layer in self._layers if tag in layer)


def _groups(data: Dataset, number: int) -> tuple[Dataset, Dataset]:
    """The functional groups of a frame, and those that all frames share; empty in a classic file."""
    per_frame = data.get("PerFrameFunctionalGroupsSequence") or []
    shared = (data.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    return per_frame[number] if number < len(per_frame) else Dataset(), shared
