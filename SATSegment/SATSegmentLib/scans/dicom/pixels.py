"""From the frames of a volume to voxels in the modality's own values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, get_decoder

from SATSegmentLib.errors import ScanError
from SATSegmentLib.scans.dicom.frames import Frame, frame_count
from SATSegmentLib.scans.dicom.headers import Header, damaged


def read_voxels(frames: Sequence[Frame]) -> np.ndarray:
    """The frames' values, rescaled, in their order: KJI.

    Whole numbers stay int16 or int32 where every rescale is whole; otherwise the result is float32. The photometric
    interpretation is left alone: it says how to show values, not what they are. Padding becomes the lowest value that
    is no padding. Only one copy of the volume is made.

    Raises
    ------
    ScanError: a file is cut off or damaged, or compressed in a way that no installed library decodes.
    """
    dtype = _dtype(frames)
    volume = np.empty((len(frames), *frames[0].shape), dtype)
    padded: dict[int, np.ndarray] = {}
    lowest = np.inf
    for k, stored in _stored(frames):
        padding = _padding(stored, frames[k].header.data)
        volume[k] = _rescaled(stored, frames[k], dtype)
        if dtype is np.float32 and not np.isfinite(volume[k]).all():
            raise ScanError(f"Some voxels of {frames[k].name} are not numbers.", "Export the scan again.")
        if padding is not None:
            padded[k] = padding
        valid = volume[k] if padding is None else volume[k][~padding]
        lowest = min(lowest, valid.min()) if valid.size else lowest
    if np.isfinite(lowest):
        for k, padding in padded.items():
            volume[k][padding] = lowest
    return volume


def _dtype(frames: Sequence[Frame]) -> type[np.number]:
    rescales = [frame.rescale for frame in frames]
    if any(r.has_table or r.slope != round(r.slope) or r.intercept != round(r.intercept) for r in rescales):
        return np.float32
    low = high = 0.0
    for frame in frames:
        data, r = frame.header.data, frame.rescale
        bits, signed = int(data.get("BitsStored") or data.BitsAllocated), int(data.get("PixelRepresentation") or 0)
        ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        values = [end * r.slope + r.intercept for end in ends]
        low, high = min(low, *values), max(high, *values)
    for dtype in (np.int16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return dtype
    return np.float32


def _stored(frames: Sequence[Frame]) -> Iterator[tuple[int, np.ndarray]]:
    """Each frame's stored values with its index, file by file."""
    by_file: dict[int, list[int]] = {}
    for k, frame in enumerate(frames):
        by_file.setdefault(id(frame.header), []).append(k)
    for indices in by_file.values():
        header = frames[indices[0]].header
        arrays = _native(header, frames, indices) if header.pixels_at >= 0 else _decoded(header, frames, indices)
        for k, array in zip(indices, arrays, strict=True):
            yield k, array


def _native(header: Header, frames: Sequence[Frame], indices: Sequence[int]) -> Iterator[np.ndarray]:
    data = header.data
    rows, columns = frames[indices[0]].shape
    bits = int(data.BitsAllocated)
    size = rows * columns * bits // 8
    if header.pixel_bytes < size * frame_count(data):
        raise damaged(header.path)
    order = ">" if header.syntax == pydicom.uid.ExplicitVRBigEndian else "<"
    kind = np.dtype(f"{order}{'i' if data.get('PixelRepresentation') else 'u'}{bits // 8}")
    with header.path.open("rb") as stream:
        for k in indices:
            stream.seek(header.pixels_at + frames[k].number * size)
            content = stream.read(size)
            if len(content) < size:
                raise damaged(header.path)
            yield _used_bits(np.frombuffer(content, kind).reshape(rows, columns), data)


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
    except Exception as error:  # each decoder has its own kinds
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


def _rescaled(stored: np.ndarray, frame: Frame, dtype: type[np.number]) -> np.ndarray:
    rescale = frame.rescale
    if rescale.has_table:
        try:
            return np.asarray(apply_modality_lut(stored, frame.header.data))
        except Exception as error:  # a table that contradicts its own description
            raise ScanError(f"The Modality LUT of {frame.header.path} is damaged.", "Export the scan again.") from error
    if rescale.slope == 1 and rescale.intercept == 0:
        return stored
    if np.issubdtype(dtype, np.integer):  # every value fits, so what overflows on the way comes back
        return stored.astype(np.int32) * np.int32(rescale.slope) + np.int32(rescale.intercept)
    return stored.astype(np.float64) * rescale.slope + rescale.intercept


def same_pixels(one: Sequence[Frame], other: Sequence[Frame]) -> bool:
    """Whether two files hold the same stored values.

    Raises
    ------
    ScanError: as `read_voxels`.
    """
    if [frame.shape for frame in one] != [frame.shape for frame in other]:
        return False
    pairs = zip(_stored(one), _stored(other), strict=True)
    return all(np.array_equal(a, b) for (_, a), (_, b) in pairs)
