"""Writing results as a segmentation file that opens in Slicer (.seg.nrrd)."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from SATSegmentLib.files import atomic_path
from SATSegmentLib.grid.affine import lps_to_ras
from SATSegmentLib.grid.box import Box
from SATSegmentLib.segments.layers import Layer, pack
from SATSegmentLib.segments.style import SegmentStyle, segment_id, style_of
from SATSegmentLib.storage.formats import format_of
from SATSegmentLib.storage.written import WrittenSegmentation
from SATSegmentLib.types import Image, Prompt, SegmentResult

# gzip's fast levels: masks are runs of equal bytes, and level 9 takes ten times as long for a tenth less.
_COMPRESSION_LEVEL = 2


def write_segmentation(
    path: str | os.PathLike[str],
    image: Image,
    results: Sequence[SegmentResult],
    *,
    style: Callable[[Prompt], SegmentStyle] = style_of,
    algorithm: str = "SAT",
    overwrite: bool = False,
) -> WrittenSegmentation:
    """Write `results` as a `.seg.nrrd` on the scan's grid, whole or not at all.

        write_segmentation("brain.seg.nrrd", image, segmenter.segment(image, prompts))

    Structures may overlap: those lie in different layers. The file holds the box around all masks
    and says where in the scan's grid it lies.

    Parameters
    ----------
    image : Image
        The scan; its voxels are not used, only its shape and its place.
    style : Callable[[Prompt], SegmentStyle], optional
        Colour and codes for a prompt.
    algorithm : str, optional
        Name of the model, kept on each segment for DICOM.
    overwrite : bool, optional
        Whether an older file may be replaced.

    Raises
    ------
    OutputError
        See `atomic_path`; also for a name that does not end in .seg.nrrd.
    """
    target = Path(path).expanduser()
    format_of(target, "seg.nrrd")  # under another name Slicer would load it as a scan
    found = [result for result in results if result.voxels]
    not_found = tuple(result.prompt.text for result in results if result.status == "empty")
    layers = pack(found)
    with atomic_path(target, overwrite=overwrite) as temporary:
        _write(temporary, _content(image, found, not_found, layers, style, algorithm))
    ids = tuple(segment_id(result.prompt) for result in found)
    return WrittenSegmentation(target, ids, not_found, len(layers))


def _content(
    image: Image,
    found: Sequence[SegmentResult],
    not_found: Sequence[str],
    layers: Sequence[Layer],
    style: Callable[[Prompt], SegmentStyle],
    algorithm: str,
) -> dict[str, Any]:
    """The segmentation as slicerio's dictionary."""
    box = Box.union(layer.box for layer in layers) if layers else Box.whole((1, 1, 1))
    offset_ijk = box.offset[::-1]
    ijk_to_ras = np.array(image.ijk_to_ras, dtype=float)
    ijk_to_ras[:3, 3] += ijk_to_ras[:3, :3] @ offset_ijk
    content = {
        "voxels": _voxels(layers, box),
        "ijkToLPS": lps_to_ras(ijk_to_ras),
        "containedRepresentationNames": ["Binary labelmap"],
        "masterRepresentation": "Binary labelmap",
        "referenceImageExtentOffset": [int(n) for n in offset_ijk],
        "conversionParameters": [
            {
                "name": "Reference image geometry",
                "value": _geometry(image),
                # Slicer passes over a lone parameter that does not end with its divider.
                "description": "Grid of the scan that was segmented.&",
            }
        ],
        "segments": _segments(found, layers, box, style, algorithm),
    }
    if not_found:
        content["SATSegment.NotFound"] = "|".join(_one_line(text) for text in not_found)
    return content


def _voxels(layers: Sequence[Layer], box: Box) -> np.ndarray:
    """All layers in one array: IJK where there is one layer or none, else layer, I, J, K."""
    # NRRD keeps the layers of one voxel side by side, so they are the fastest axis here already.
    stack = np.zeros((*box.shape, max(len(layers), 1)), np.uint8)
    for number, layer in enumerate(layers):
        stack[(*layer.box.relative_to(box), number)] = layer.labels
    return stack[..., 0].T if len(layers) <= 1 else stack.transpose(3, 2, 1, 0)


def _segments(
    found: Sequence[SegmentResult],
    layers: Sequence[Layer],
    box: Box,
    style: Callable[[Prompt], SegmentStyle],
    algorithm: str,
) -> list[dict[str, Any]]:
    from slicerio.segmentation import terminology_entry_from_string

    places = {index: (number, value) for number, layer in enumerate(layers) for index, value in layer.members}
    segments = []
    for index, result in enumerate(found):
        number, value = places[index]
        sides = reversed(layers[number].box.relative_to(box))
        look = style(result.prompt)
        segment: dict[str, Any] = {
            "id": segment_id(result.prompt),
            "name": _one_line(result.prompt.text),
            "nameAutoGenerated": False,
            "color": [channel / 255 for channel in look.color],
            "colorAutoGenerated": False,
            "labelValue": value,
            "layer": number,
            # The extent of the whole layer: older Slicers crop all of a layer's segments to the first one's extent.
            "extent": [end for side in sides for end in (side.start, side.stop - 1)],
            "tags": {
                "DICOM.SegmentAlgorithmType": "AUTOMATIC",
                "DICOM.SegmentAlgorithmName": _one_line(algorithm).replace("|", "/"),
            },
        }
        if look.terminology:
            segment["terminology"] = terminology_entry_from_string(look.terminology)
        segments.append(segment)
    return segments


def _geometry(image: Image) -> str:
    """The scan's grid in Slicer's words: the 4x4 affine row by row, then first and last I, J, K."""
    k, j, i = image.array.shape
    extent = (0, i - 1, 0, j - 1, 0, k - 1)
    return ";".join([*(f"{float(v)!r}" for v in np.asarray(image.ijk_to_ras).ravel()), *map(str, extent)]) + ";"


def _one_line(text: str) -> str:
    # A line break in a header would begin another field.
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", text).strip()


def _write(path: Path, content: dict[str, Any]) -> None:
    import slicerio

    content, foreign = _ascii_only(content)
    slicerio.write_segmentation(str(path), content, compression_level=_COMPRESSION_LEVEL)
    if foreign:
        _restore_in_header(path, foreign)


def _ascii_only(content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Names in other scripts replaced by marks: pynrrd writes ASCII only, while Slicer reads and writes UTF-8."""
    foreign: dict[str, str] = {}

    def marked(text: str) -> str:
        if text.isascii():
            return text
        mark = f"@UTF8-{len(foreign)}@"
        foreign[mark] = text
        return mark

    content = {key: marked(value) if isinstance(value, str) else value for key, value in content.items()}
    content["segments"] = [{**segment, "name": marked(segment["name"])} for segment in content["segments"]]
    return content, foreign


def _restore_in_header(path: Path, foreign: dict[str, str]) -> None:
    rewritten = path.with_name(f"{path.name}.utf8")
    try:
        with path.open("rb") as source, rewritten.open("wb") as sink:
            for line in source:
                for mark, text in foreign.items():
                    line = line.replace(f":={mark}\n".encode(), f":={text}\n".encode())
                sink.write(line)
                if line == b"\n":  # the header ends with an empty line
                    break
            shutil.copyfileobj(source, sink, 1 << 20)
        os.replace(rewritten, path)
    finally:
        rewritten.unlink(missing_ok=True)
