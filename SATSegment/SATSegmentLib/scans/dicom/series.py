"""The series of a folder, each with its volumes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from SATSegmentLib.errors import ScanError
from SATSegmentLib.scans.dicom.classes import is_uncertain, modality_of
from SATSegmentLib.scans.dicom.frames import Frame, frames_of
from SATSegmentLib.scans.dicom.headers import Header
from SATSegmentLib.scans.dicom.pixels import same_pixels
from SATSegmentLib.scans.dicom.volumes import Volume, split
from SATSegmentLib.types import Doubt, DoubtKind, Modality


@dataclass(frozen=True, eq=False)
class Series:
    """The images of one SeriesInstanceUID.

    Attributes
    ----------
    uid : str
        Its SeriesInstanceUID.
    headers : tuple[Header, ...]
        Of its files.
    """

    uid: str
    headers: tuple[Header, ...]

    @property
    def modality(self) -> str:
        """DICOM's own word: CT, MR, PT, ..."""
        return str(self.headers[0].data.get("Modality", "")).strip() or "?"

    @property
    def sat_modality(self) -> Modality | None:
        """The modality SAT would segment it in; None where the file does not say."""
        found: dict[str, Modality] = {"ct": "ct", "mri": "mri", "pet": "pet"}
        return found.get(modality_of(self.headers[0].data))

    @property
    def description(self) -> str:
        """SeriesDescription."""
        return str(self.headers[0].data.get("SeriesDescription", "")).strip()

    @cached_property
    def unique(self) -> tuple[tuple[Frame, ...], tuple[Doubt, ...]]:
        """The frames of all files, copies of one file taken once.

        Raises
        ------
        ScanError
            Colour, damaged headers, two different images under one SOPInstanceUID, several patients or studies.
        """
        _check_one_patient(self.headers)
        return _without_copies(self.headers)

    @cached_property
    def volumes(self) -> tuple[Volume, ...]:
        """Its volumes.

        Raises
        ------
        ScanError
            See `split` and `unique`.
        """
        return tuple(split(self.unique[0]))

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What its headers leave open."""
        found = list(self.unique[1])
        if is_uncertain(self.headers[0].data):
            name = self.headers[0].data.SOPClassUID.name.removesuffix(" Storage")
            found.append(Doubt(DoubtKind.MODALITY, f"The series is stored as {name}: its values may mean anything."))
        if self.sat_modality == "ct" and (reason := _not_hounsfield(self.unique[0])):
            found.append(Doubt(DoubtKind.VALUES, f"The CT values may not be Hounsfield units: {reason}."))
        return tuple(found)

    def __str__(self) -> str:
        return f"{self.modality} {self.description!r}, {len(self.headers)} files, UID {self.uid}"


def group(headers: Iterable[Header]) -> list[Series]:
    """The series, in the order of their numbers and then UIDs."""
    by_uid: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        by_uid[header.series].append(header)
    found = [Series(uid, tuple(members)) for uid, members in by_uid.items()]
    return sorted(found, key=lambda one: (_series_number(one), one.uid))


def _series_number(series: Series) -> float:
    try:
        return float(series.headers[0].data.get("SeriesNumber"))
    except (TypeError, ValueError):
        return float("inf")


def _check_one_patient(headers: Iterable[Header]) -> None:
    """Refuse files of two patients or studies: what de-identified them gave them all one SeriesInstanceUID."""
    for keyword, words in (("PatientID", "patients"), ("StudyInstanceUID", "studies")):
        first: dict[str, Header] = {}
        for header in headers:
            if value := str(header.data.get(keyword) or "").strip():
                first.setdefault(value, header)
        if len(first) > 1:
            one, other, *_ = first.values()
            # Who they are is not said: messages go into logs.
            raise ScanError(
                f"Files of {len(first)} {words} have one SeriesInstanceUID, among them {one.path} and {other.path}.",
                "Put the files of each into a folder of their own.",
            )


def _without_copies(headers: Iterable[Header]) -> tuple[tuple[Frame, ...], tuple[Doubt, ...]]:
    by_uid: dict[str, list[list[Frame]]] = defaultdict(list)
    dropped, shared = 0, 0
    kept: list[Frame] = []
    for header in headers:
        frames = frames_of(header)
        uid = str(header.data.get("SOPInstanceUID", ""))
        earlier = by_uid[uid] if uid else []
        if any(_same_place(frames, other) and _is_copy(frames, other) for other in earlier):
            dropped += 1
            continue
        shared += bool(earlier)
        earlier.append(frames)
        kept += frames
    doubts = []
    if dropped:
        files = "1 file is a copy" if dropped == 1 else f"{dropped} files are copies"
        doubts.append(Doubt(DoubtKind.FILES, f"{files} of another file of the series; each image was taken once."))
    if shared:
        doubts.append(
            Doubt(DoubtKind.FILES, f"{shared} images have the SOPInstanceUID of another one, at another place.")
        )
    return tuple(kept), tuple(doubts)


def _same_place(one: list[Frame], other: list[Frame]) -> bool:
    def place(frames: list[Frame]) -> list[tuple[float, ...] | None]:
        return [None if frame.position is None else tuple(np.round(frame.position, 3)) for frame in frames]

    return place(one) == place(other)


def _is_copy(one: list[Frame], other: list[Frame]) -> bool:
    if [frame.rescale for frame in one] == [frame.rescale for frame in other] and same_pixels(one, other):
        return True
    raise ScanError(
        f"{one[0].header.path} and {other[0].header.path} have one SOPInstanceUID and one place, but different voxels.",
        "Remove the one that does not belong to the scan.",
    )


def _not_hounsfield(frames: Iterable[Frame]) -> str:
    rescales = [frame.rescale for frame in frames]
    if any(not one.declared and not one.has_table for one in rescales):
        return "the files give no rescale"
    units = {one.unit for one in rescales} - {"", "HU"}
    return f"the files give their unit as {', '.join(sorted(units))}" if units else ""
