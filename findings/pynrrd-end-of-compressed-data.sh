#!/usr/bin/env bash
# pynrrd 1.1.3 on compressed NRRD files:
#  1. one whose last bytes are missing (in gzip the checksum and the length, in bzip2 the checksum of the stream) is read
#     without an error or a warning: damage in the voxels before could not have been noticed. Python's own gzip and bz2
#     raise EOFError on the same bytes.
#  2. one whose voxels are two gzip or bzip2 members one after the other, which the formats allow and parallel packers
#     write, is refused: only the first member is unpacked.
# Expected by most: what `gzip -t` refuses is refused, and what `gunzip` reads is read. Exits with 1 where this is no
# longer so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pynrrd==1.1.3 numpy
cd "$work"
"$work/venv/bin/python" - <<'PY'
import bz2
import gzip
import sys

import nrrd
import numpy as np

VOLUME = np.arange(480, dtype="<i2").reshape(6, 8, 10)
RAW = VOLUME.tobytes()


def outcome(encoding: str, data: bytes) -> str:
    fields = f"type: short\ndimension: 3\nsizes: 10 8 6\nendian: little\nencoding: {encoding}\n"
    with open("scan.nrrd", "wb") as file:
        file.write(f"NRRD0004\n{fields}\n".encode() + data)
    try:
        array, _ = nrrd.read("scan.nrrd", index_order="C")
    except nrrd.NRRDError as error:
        return f"refused: {error}"
    return "read" if np.array_equal(array, VOLUME) else "read wrong"


as_seen = True
for encoding, library in (("gzip", gzip), ("bzip2", bz2)):
    whole = library.compress(RAW)
    try:
        library.decompress(whole[:-6])
        python = "reads it"
    except (EOFError, ValueError) as error:
        python = type(error).__name__
    members = library.compress(RAW[:100]) + library.compress(RAW[100:])
    assert library.decompress(members) == RAW
    found = [outcome(encoding, data) for data in (whole, whole[:-6], members)]
    print(f"{encoding}: whole {found[0]}; end missing {found[1]} (Python: {python}); two members {found[2]}")
    as_seen &= found[:2] == ["read", "read"] and found[2].startswith("refused") and python != "reads it"
print(f"pynrrd {nrrd.__version__}")
sys.exit(0 if as_seen else 1)
PY
