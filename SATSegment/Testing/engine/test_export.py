"""What a process is told crosses its pipe whole; the files are those of the writers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from helpers.dicom_results import ALGORITHM, SHAPE, masks, result_of
from helpers.dicom_series import lps_affine, write_classic, write_enhanced
from SATSegmentLib.engine import messages
from SATSegmentLib.engine.export import ExportAnswer, ExportRequest, export
from SATSegmentLib.errors import GeometryError, OutputError, ScanError
from SATSegmentLib.grid.affine import lps_to_ras
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.storage.written import Algorithm, ResultDetails

AFFINE = lps_affine(SHAPE, [1, 0, 0, 0, 1, 0], tilt=0.9)


@pytest.fixture(scope="module", params=["classic", "enhanced"])
def files(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    array = np.zeros(SHAPE, int)
    if request.param == "classic":
        write_classic(folder, array, AFFINE, [3, 0, 6, 1, 5, 2, 4])
    else:
        write_enhanced(folder / "a.dcm", array, AFFINE, [3, 0, 6, 1, 5, 2, 4])
    return tuple(str(file) for file in folder.iterdir())


def request_of(files, path, **changes) -> ExportRequest:
    results = tuple(result_of(mask, text) for text, mask in masks().items())
    details = (
        ResultDetails("my kidney", True), ResultDetails(algorithm=Algorithm("SAT-Pro", "0.2")), ResultDetails()
    )  # fmt: skip
    made = ExportRequest(str(path), "dicomseg", files, SHAPE, lps_to_ras(AFFINE), results, details, ALGORITHM)
    return dataclasses.replace(made, **changes)


@pytest.mark.parametrize("format_name", ["dicomseg", "rtstruct"])
def test_a_request_makes_the_file_on_the_other_side_of_a_pipe(files, tmp_path, format_name):
    sent = messages.pack("export", 1, request_of(files, tmp_path / "a.dcm", format=format_name))
    answer = export(messages.unpack(sent, ExportRequest))
    assert isinstance(answer, ExportAnswer)
    assert (len(answer.segment_ids), answer.not_found) == (3, ())
    opened, grid = open_masks(tmp_path / "a.dcm"), Grid(SHAPE, lps_to_ras(AFFINE))
    assert opened.names[0] == "my kidney"
    for name, mask in zip(opened.names, masks().values(), strict=True):
        np.testing.assert_array_equal(opened.read(name, grid).array, mask)


def test_each_segment_names_what_made_it(files, tmp_path):
    import pydicom

    export(request_of(files, tmp_path / "a.dcm"))
    items = pydicom.dcmread(tmp_path / "a.dcm").SegmentSequence
    made = [item.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName for item in items]
    assert made == ["SAT-Nano", "SAT-Pro", "SAT-Nano"]
    assert [item.SegmentAlgorithmType for item in items] == ["SEMIAUTOMATIC", "AUTOMATIC", "AUTOMATIC"]


def test_nothing_is_written_where_it_cannot_be_right(files, tmp_path):
    empty = tuple(result_of(np.zeros(SHAPE, bool), text) for text in masks())
    moved = lps_to_ras(AFFINE).copy()
    moved[0, 3] += 2
    for changes, kind in (
        ({"files": ()}, ScanError),
        ({"files": (str(tmp_path / "gone.dcm"),)}, ScanError),
        ({"ijk_to_ras": moved}, GeometryError),
        ({"results": empty}, OutputError),
    ):
        with pytest.raises(kind):
            export(dataclasses.replace(request_of(files, tmp_path / "a.dcm"), **changes))
    assert list(tmp_path.iterdir()) == []
