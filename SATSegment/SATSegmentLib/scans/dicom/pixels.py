"""From the frames of a volume to voxels in the modality's own values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, get_decoder

from SATSegmentLib.errors import ScanError
from SATSegmentLib.scans.dicom.frames import Frame, Rescale, frame_count
from SATSegmentLib.scans.dicom.headers import Header, damaged

# A slope or intercept beyond it times sixteen bits would leave 32.
_LARGEST_WHOLE = 2**15


def read_voxels(frames: Sequence[Frame]) -> np.ndarray:
    """The frames' values, rescaled, in their order: KJI.

    Whole numbers stay int16 (or wider, where they need it) where every rescale is whole; otherwise the result is
    float32. The photometric interpretation is left alone: it says how to show values, not what they are. Padding is
    given the lowest value that is no padding. Only one copy of the volume is made.

    Raises
    ------
    ScanError
        A file is cut off or damaged, or compressed in a way that no installed library decodes.
    """
    whole = all(_is_whole(frame) for frame in frames)
    volume = _empty((len(frames), *frames[0].shape), np.dtype(np.int16 if whole else np.float32))
    may_be_padded = any(frame.header.data.get("PixelPaddingValue") is not None for frame in frames)
    padded: dict[int, np.ndarray] = {}
    lowest = np.inf
    for k, stored in _stored(frames):
        padding = _padding(stored, frames[k].header.data)
        if whole:
            volume = _wide_enough(volume, stored, frames[k].rescale)
            _rescale_whole(stored, frames[k].rescale, volume[k])
        else:
            volume[k] = _rescaled(stored, frames[k])
        if not whole and not np.isfinite(volume[k]).all():
            raise ScanError(f"Some voxels of {frames[k].name} are not numbers.", "Export the scan again.")
        if may_be_padded:
            valid = volume[k] if padding is None else volume[k][~padding]
            lowest = min(lowest, valid.min()) if valid.size else lowest
        if padding is not None:
            padded[k] = padding
    if np.isfinite(lowest):
        for k, padding in padded.items():
            volume[k][padding] = lowest
    return volume


def _empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array for a volume, of memory in small pages.

    NumPy asks Linux for huge pages, and where memory is fragmented the kernel tidies it up before it gives them: that
    took longer than reading 500 slices (benchmarks/bench_dicom.py: 1.6 times SimpleITK's time in place of 1.2).
    """
    return np.frombuffer(bytearray(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)


def _is_whole(frame: Frame) -> bool:
    """Whether a frame's values are whole numbers of a size that integers hold."""
    rescale = frame.rescale
    if rescale.has_table or int(frame.header.data.BitsAllocated) > 16:
        return not rescale.has_table and (rescale.slope, rescale.intercept) == (1, 0)
    numbers = (rescale.slope, rescale.intercept)
    return all(number == round(number) and abs(number) < _LARGEST_WHOLE for number in numbers)


def _wide_enough(volume: np.ndarray, stored: np.ndarray, rescale: Rescale) -> np.ndarray:
    """The volume in a type that holds the values; sixteen bits are enough for nearly every scan."""
    slope, intercept, info = int(rescale.slope), int(rescale.intercept), np.iinfo(volume.dtype)
    kind = np.iinfo(stored.dtype)
    ends = []
    for extreme, look in ((int(kind.min), np.min), (int(kind.max), np.max)):
        value = extreme * slope + intercept
        # Looking through all voxels takes time: only where what the type can hold would not fit.
        ends.append(value if info.min <= value <= info.max else int(look(stored)) * slope + intercept)
    for dtype in (volume.dtype, np.dtype(np.int32), np.dtype(np.int64)):
        if np.iinfo(dtype).min <= min(ends) and max(ends) <= np.iinfo(dtype).max:
            return volume if dtype == volume.dtype else volume.astype(dtype)
    return volume.astype(np.int64)


def _rescale_whole(stored: np.ndarray, rescale: Rescale, values: np.ndarray) -> None:
    """Rescale into `values`, whose type holds the results: what overflows on the way there comes back."""
    values[...] = stored
    if rescale.slope != 1:
        np.multiply(values, int(rescale.slope), out=values, casting="unsafe")
    if rescale.intercept:
        np.add(values, int(rescale.intercept), out=values, casting="unsafe")


def _stored(frames: Sequence[Frame]) -> Iterator[tuple[int, np.ndarray]]:
    """Each frame's stored values with its index, file by file; valid until the next is asked for."""
    room = _Room()
    by_file: dict[int, list[int]] = {}
    for k, frame in enumerate(frames):
        by_file.setdefault(id(frame.header), []).append(k)
    for indices in by_file.values():
        header = frames[indices[0]].header
        native = header.pixels_at >= 0
        arrays = _native(header, frames, indices, room) if native else _decoded(header, frames, indices)
        for k, array in zip(indices, arrays, strict=True):
            yield k, array


class _Room:
    """One buffer for all frames: a new one for each costs as much as reading it."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def of(self, size: int) -> memoryview:
        """The buffer's first bytes, overwritten by the next user."""
        if len(self._bytes) < size:
            self._bytes = bytearray(size)
        return memoryview(self._bytes)[:size]


def _native(header: Header, frames: Sequence[Frame], indices: Sequence[int], room: _Room) -> Iterator[np.ndarray]:
    data = header.data
    rows, columns = frames[indices[0]].shape
    bits = int(data.BitsAllocated)
    size = rows * columns * bits // 8
    if header.pixel_bytes < size * frame_count(data):
        raise damaged(header.path)
    order = ">" if header.syntax == pydicom.uid.ExplicitVRBigEndian else "<"
    kind = np.dtype(f"{order}{'i' if data.get('PixelRepresentation') else 'u'}{bits // 8}")
    piece = room.of(size)
    with header.path.open("rb") as stream:
        for k in indices:
            stream.seek(header.pixels_at + frames[k].number * size)
            if stream.readinto(piece) < size:
                raise damaged(header.path)
            yield _used_bits(np.frombuffer(piece, kind).reshape(rows, columns), data)


def _used_bits(stored: np.ndarray, data: Dataset) -> np.ndarray:
    """Without what old scanners kept in the unused bits (overlays), and with the sign where it belongs."""
    allocated = int(data.BitsAllocated)
    used = int(data.get("BitsStored") or allocated)
    high = int(data.get("HighBit") if data.get("HighBit") is not None else used - 1)
    if used >= allocated:
        return stored
    stored = stored.astype(stored.dtype.newbyteorder("="))
    return (stored << (allocated - 1 - high)) >> (allocated - used)


def _decoded(header: Header, frames: Sequence[Frame], indices: Sequence[int]) -> Iterator[np.ndarray]:
    syntax = pydicom.uid.UID(header.syntax)
    try:
        decoder = get_decoder(syntax)
        available = decoder.is_available
    except (NotImplementedError, ValueError):
        available = False
    if not available:
        raise ScanError(
            f"{header.path} is compressed as {syntax.name}, which no installed library decodes.",
            "Install decoders with: pip install python-gdcm pylibjpeg-openjpeg. Or export the scan uncompressed.",
        )
    try:
        whole = pydicom.dcmread(header.path, force=True)
        whole.file_meta.TransferSyntaxUID = syntax
        shape = frames[indices[0]].shape
        wanted = [frames[k].number for k in indices]
        # As it is stored: no colour conversion, no inversion.
        for array, _ in decoder.iter_array(whole, indices=wanted, raw=True):
            if array.shape != shape:
                raise damaged(header.path)
            yield _used_bits(array, whole)
    except ScanError:
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # each decoder has its own kinds; a panic of one written in Rust is no Exception
        raise damaged(header.path) from error


def _padding(stored: np.ndarray, data: Dataset) -> np.ndarray | None:
    """Where the stored values are declared to be no measurement; None where they all are."""
    value = data.get("PixelPaddingValue")
    if value is None or value == "":
        return None
    limit = data.get("PixelPaddingRangeLimit")
    ends = [_as_stored(one, data) for one in (value, value if limit in (None, "") else limit)]
    mask: np.ndarray = (stored >= min(ends)) & (stored <= max(ends))
    return mask if mask.any() else None


def _as_stored(value: object, data: Dataset) -> int:
    """A padding value with the sign of the pixels: files often give -2000 as 63536, and the other way round."""
    bits = int(data.BitsAllocated)
    number = (int.from_bytes(value[:2], "little") if isinstance(value, bytes) else int(value)) % 2**bits  # type: ignore[call-overload]
    signed = bool(data.get("PixelRepresentation"))
    return number - 2**bits if signed and number >= 2 ** (bits - 1) else number


def _rescaled(stored: np.ndarray, frame: Frame) -> np.ndarray:
    rescale = frame.rescale
    if not rescale.has_table:
        return stored.astype(np.float64) * rescale.slope + rescale.intercept
    try:
        return np.asarray(apply_modality_lut(stored, frame.header.data))
    except Exception as error:  # a table that contradicts its own description
        raise ScanError(f"The Modality LUT of {frame.header.path} is damaged.", "Export the scan again.") from error


def same_pixels(one: Sequence[Frame], other: Sequence[Frame]) -> bool:
    """Whether two files hold the same stored values.

    Raises
    ------
    ScanError
        As `read_voxels`.
    """
    if [frame.shape for frame in one] != [frame.shape for frame in other]:
        return False
    pairs = zip(_stored(one), _stored(other), strict=True)
    return all(np.array_equal(a, b) for (_, a), (_, b) in pairs)
