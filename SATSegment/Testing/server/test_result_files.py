"""A server's results as files: the same as those written here, of every format, and nothing of them stays."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests

from helpers.dicom_series import lps_affine, write_classic
from helpers.local_server import ALICE
from SATSegmentLib.engine import messages
from SATSegmentLib.engine.remote import RemoteEngine
from SATSegmentLib.engine.transport.upload import send_scan
from SATSegmentLib.grid.digest import digest_of
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.scans import read_scan

HEADERS = {"Authorization": f"Bearer {ALICE}", "SATSegment-Protocol": str(messages.PROTOCOL)}


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dicom") / "series"
    affine = lps_affine((12, 40, 33), [1, 0, 0, 0, 1, 0])
    body = (np.random.default_rng(2).random((12, 40, 33)) * 200 - 100).astype(int)
    write_classic(folder, body, affine)
    return folder


@pytest.fixture
def run(running, series: Path) -> str:
    """A finished run of the series, and its address."""
    image = read_scan(series)
    engine = RemoteEngine(running.url, ALICE)
    digest = digest_of(image)
    send_scan(engine.connection, image, digest, digest, lambda action: action(), lambda text: None)
    runs = f"{running.url}/v1/scans/{digest}/runs"
    body = {"kind": "segment", "key": f"key of {id(image)}", "prompts": [{"text": "liver", "modality": "ct"}]}
    body["options"] = {"model": "tiny", "precision": "float32"}
    name = requests.post(runs, json=body, headers=HEADERS, timeout=10).json()["run"]
    assert '"done"' in requests.get(f"{runs}/{name}/events", headers=HEADERS, timeout=30).text.splitlines()[-1]
    return f"{runs}/{name}"


def headers_of(series: Path) -> bytes:
    """The series without its pixels, under hostile names."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in sorted(series.iterdir()):
            data = pydicom.dcmread(file, stop_before_pixels=True)
            whole = io.BytesIO()
            data.save_as(whole, enforce_file_format=True)
            archive.writestr(f"../../../{file.name}", whole.getvalue())
    return content.getvalue()


@pytest.mark.parametrize("format", ["seg.nrrd", "dicomseg", "rtstruct"])
def test_a_file_holds_the_masks_that_the_run_found(run: str, series: Path, tmp_path: Path, format: str) -> None:
    data = headers_of(series) if format != "seg.nrrd" else b""
    answer = requests.post(f"{run}/file", params={"format": format}, data=data, headers=HEADERS, timeout=30)
    assert answer.status_code == 200, answer.text
    file = tmp_path / ("a.seg.nrrd" if format == "seg.nrrd" else "a.dcm")
    file.write_bytes(answer.content)
    found = open_masks(file)
    frame = messages.read_frame(io.BytesIO(requests.get(f"{run}/result", headers=HEADERS, timeout=10).content))
    from SATSegmentLib.engine.api import SegmentAnswer

    (result,) = messages.unpack(frame, SegmentAnswer).results
    image = read_scan(series)
    assert result.voxels
    mask = found.read(found.names[0], Grid.of(image)).array
    np.testing.assert_array_equal(mask.astype(bool), result.whole_mask(image.array.shape))
    assert not list(Path("/dev/shm").glob("satsegment-*"))


@pytest.mark.parametrize(
    ("format", "data", "words"),
    [
        ("dicomseg", b"", "refers to the DICOM images"),
        ("dicomseg", b"no archive", "not a zip archive"),
        ("rtstruct", b"PK\x05\x06" + bytes(18), ""),
        ("gif", b"", "not understood"),
    ],
)
def test_what_cannot_be_written_is_said(run: str, format: str, data: bytes, words: str) -> None:
    answer = requests.post(f"{run}/file", params={"format": format}, data=data, headers=HEADERS, timeout=30)
    assert 400 <= answer.status_code < 600
    assert answer.json()["error"]["kind"] != "Bug"
    assert words in answer.json()["error"]["message"]
    assert not list(Path("/dev/shm").glob("satsegment-*"))
