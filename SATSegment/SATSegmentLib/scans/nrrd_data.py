"""The voxels of a NRRD file: in itself, in a file of their own, or in a list of files.

Headers are pynrrd's; voxels are read here, because pynrrd 1.1 takes compressed voxels that end before their checksum,
and no list of files.
"""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from SATSegmentLib.errors import ScanError
from SATSegmentLib.scans.data_files import beside

# Names of the format's description, without those that hold no numbers.
_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "signed long long int"), "i8"),
    **dict.fromkeys(("int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    **{"float": "f4", "double": "f8"},
}  # fmt: skip
_OPENERS: dict[str, Callable[[BinaryIO], Any]] = {
    "gzip": gzip.open, "gz": gzip.open, "bzip2": bz2.open, "bz2": bz2.open
}  # fmt: skip
_TEXT = ("ascii", "text", "txt")
# How many bytes these pack into one at most, with some room: 1,032 and some 45,000 were seen.
_MOST_PACKED = {"gzip": 1100, "gz": 1100, "bzip2": 100_000, "bz2": 100_000}
_MOST_FILES = 100_000
_BLOCK = 1 << 22


def data_files(path: Path, header: Mapping[str, Any], begin: int) -> list[Path]:
    """The files that hold the voxels, in their order: the file itself, another one, or several.

    Raises
    ------
    ScanError
        One lies outside of the header's folder or is not there, or the list is damaged.
    """
    name = header.get("data file", header.get("datafile"))
    if name is None:
        return [path]
    words = str(name).split()
    if words[0].upper() == "LIST":
        lines = path.read_bytes()[begin:].decode("utf-8", "replace").splitlines()
        names = [line.strip() for line in lines if line.strip()]
    elif "%" in words[0] and len(words) >= 4:
        names = _pattern(path, words)
    else:
        names = [str(name)]
    if not names:
        raise ScanError(f"{path} names no files of its voxels.", "Copy it again.")
    return [beside(path, one) for one in names]


def _pattern(path: Path, words: list[str]) -> list[str]:
    """The names of `%03d.raw 1 60 1`: a pattern, first and last number and step, perhaps the files' dimension."""
    try:
        first, last, step = (int(word) for word in words[1:4])
        numbers = range(first, last + (1 if step > 0 else -1), step)
        if len(numbers) > _MOST_FILES:
            raise ValueError
        return [words[0] % number for number in numbers]
    except (TypeError, ValueError) as error:
        raise ScanError(
            f"The list of files in {path} is damaged: {' '.join(words)[:60]!r}.", "Copy it again."
        ) from error


def read_values(path: Path, header: Mapping[str, Any], begin: int) -> np.ndarray:
    """All values, in the file's own order of axes with the slowest one first.

    Raises
    ------
    ScanError
        Missing, cut off, too many, a wrong checksum, a type or an encoding that is not read.
    """
    files = data_files(path, header, begin)
    sizes = [int(size) for size in header["sizes"]]
    count = int(np.prod(sizes, dtype=object))
    if count % len(files):
        raise ScanError(f"{path} holds {count} values, but names {len(files)} files for them.", "Copy all files again.")
    dtype = _dtype(path, header)
    encoding = str(header.get("encoding", "")).lower()
    if encoding not in (*_OPENERS, *_TEXT, "raw"):
        raise ScanError(f"{path} has the encoding {encoding or 'none'}.", "Save it again with raw or gzip encoding.")
    pieces = [
        _read_file(file, header, begin if file == path else 0, dtype, count // len(files), encoding) for file in files
    ]
    values = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return values.reshape(sizes[::-1])


def _dtype(path: Path, header: Mapping[str, Any]) -> np.dtype:
    kind = _TYPES.get(str(header.get("type", "")).strip().lower())
    if kind is None:
        raise ScanError(
            f"{path} holds values of the type {header.get('type', 'unknown')!r}, which is not read.",
            "Save it with 16-bit integers or 32-bit floating-point numbers.",
        )
    order = str(header.get("endian", "")).lower()
    text = str(header.get("encoding", "")).lower() in _TEXT
    if order not in ("little", "big") and not text and kind[1] != "1":
        raise ScanError(f"{path} does not say the order of its bytes (endian).", "Save it again.")
    return np.dtype(f"{'>' if order == 'big' else '<'}{kind}")


def _read_file(
    file: Path, header: Mapping[str, Any], begin: int, dtype: np.dtype, count: int, encoding: str
) -> np.ndarray:
    skipped_lines = int(header.get("line skip", header.get("lineskip", 0)))
    skipped_bytes = int(header.get("byte skip", header.get("byteskip", 0)))
    if skipped_lines < 0 or skipped_bytes < -1:
        raise _damaged(file, "it skips less than nothing")
    needed = count * dtype.itemsize
    # Looked at before so much is asked for: a damaged header can name any size.
    if file.stat().st_size * _MOST_PACKED.get(encoding, 1) < (count if encoding in _TEXT else needed):
        raise _damaged(file, "it ends before its last voxel")
    try:
        with file.open("rb") as stream:
            stream.seek(begin)
            for _ in range(skipped_lines):
                stream.readline()
            if encoding in _TEXT:
                return _from_text(file, stream.read()[max(skipped_bytes, 0) :], dtype, count)
            if encoding in _OPENERS:
                with _OPENERS[encoding](stream) as unpacked:
                    if skipped_bytes == -1:  # of a packed stream the end is only known once it was read
                        unpacked = io.BytesIO(unpacked.read())
                    return _from_bytes(file, unpacked, dtype, count, skipped_bytes)
            return _from_bytes(file, stream, dtype, count, skipped_bytes)
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(file, " ".join(str(error).split())[:80]) from error


def _from_bytes(file: Path, stream: BinaryIO, dtype: np.dtype, count: int, skipped: int) -> np.ndarray:
    """The values, read to the end of the stream, where a checksum stands."""
    if skipped == -1:  # they are the end of the file
        stream.seek(max(stream.seek(0, io.SEEK_END) - count * dtype.itemsize, 0))
        skipped = 0
    if len(stream.read(skipped)) < skipped:
        raise _damaged(file, "it ends before its first voxel")
    values = np.empty(count, dtype)
    left = memoryview(values.view(np.uint8))  # type: ignore[arg-type]
    while left:
        got = stream.readinto(left[:_BLOCK])  # type: ignore[attr-defined]
        if not got:
            raise _damaged(file, "it ends before its last voxel")
        left = left[got:]
    if stream.read(1):
        raise _damaged(file, "it holds more than it says")
    return values


def _from_text(file: Path, text: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    try:
        values = np.array(text.replace(b",", b" ").split(), dtype.newbyteorder("="))
    except (ValueError, OverflowError) as error:
        raise _damaged(file, "its text is not all numbers") from error
    if len(values) != count:
        raise _damaged(file, f"it holds {len(values)} numbers of {count}")
    return values


def _damaged(file: Path, reason: str) -> ScanError:
    return ScanError(f"{file} is damaged, or cut off: {reason}.", "Copy or download it again.")
