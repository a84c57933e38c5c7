"""`satsegment segment --server` from a terminal, over TLS, to a server in a process of its own; no PyTorch here."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK
import trustme

import SATSegmentLib
from helpers.local_server import ALICE, ServerProcess, long_image
from helpers.small_model import headLikeImage
from SATSegmentLib.cli import main
from SATSegmentLib.engine.api import EngineError
from SATSegmentLib.engine.remote import RemoteEngine

_LIBRARY = str(Path(SATSegmentLib.__file__).parents[1])
# A client's computer: what runs a model cannot be imported.
_PROGRAM = """
import sys
class Never:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "safetensors", "fastapi", "uvicorn", "pydantic"}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Never())
from SATSegmentLib.cli import main
sys.exit(main())
"""


@dataclass
class Site:
    """A server with a certificate of the site's own."""

    server: ServerProcess
    ca: Path

    @property
    def url(self) -> str:
        return self.server.url.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def site(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(folder / "server.pem", append=True)
    environment = {"SATSEGMENT_MODELS": str(models_folder), "SATSEGMENT_TOKEN": ALICE}
    tls = ["--certificate", str(folder / "server.pem"), "--key", str(folder / "server.key")]
    server = ServerProcess(environment, "--device", "cpu", *tls)
    yield Site(server, folder / "ca.pem")
    server.stop()


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("scan") / "head.nii.gz"
    write(headLikeImage(), file)
    return file


def write(image: object, file: Path) -> None:
    picture = SimpleITK.GetImageFromArray(image.array)
    picture.SetSpacing([1.5, 1.4, 2.0])
    SimpleITK.WriteImage(picture, file)


def words(scan: Path, out: Path, *more: str, model: str = "tiny") -> list[str]:
    named = ["segment", str(scan), "--modality", "mri", "--model", model, "--precision", "float32", "--out", str(out)]
    return [*named, "--prompt", "left hippocampus", "--prompt", "brainstem", *more]


def start(*given: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": _LIBRARY, "SATSEGMENT_TOKEN": ALICE, **environment},
    )


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATSEGMENT_TOKEN", ALICE)


def test_the_file_from_a_server_is_the_local_one_voxel_by_voxel_without_pytorch_here(
    site: Site, scan: Path, tmp_path: Path, models_folder: Path
) -> None:
    there = start(*words(scan, tmp_path / "there.seg.nrrd", "--server", site.url, "--ca-file", str(site.ca)))
    local = words(scan, tmp_path / "here.seg.nrrd", "--device", "cpu", model=str(models_folder / "tiny"))
    assert main(local) == 0
    out, err = there.communicate(timeout=60)
    assert there.returncode == 0, err
    assert "found" in out
    assert "Plan: " in err
    (ours, our_head), (theirs, their_head) = (nrrd.read(str(tmp_path / f"{n}.seg.nrrd")) for n in ("there", "here"))
    np.testing.assert_array_equal(ours, theirs)
    assert ours.any()
    assert {k: str(v) for k, v in our_head.items()} == {k: str(v) for k, v in their_head.items()}


def test_without_a_server_a_client_is_told_what_to_install(scan: Path, tmp_path: Path) -> None:
    client = start(*words(scan, tmp_path / "a.seg.nrrd", model="demo"))
    _, err = client.communicate(timeout=60)
    assert client.returncode == 2
    assert "satsegment[local]" in err
    assert "--server" in err
    assert "Traceback" not in err


def test_a_certificate_that_is_not_known_is_refused_with_what_to_do(
    site: Site, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], token: None
) -> None:
    assert main(words(scan, tmp_path / "a.seg.nrrd", "--server", site.url)) == 2
    said = capsys.readouterr().err
    assert "certificate" in said
    assert "--ca-file" in said
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_of_another_name_is_told_apart_from_one_that_is_not_trusted(site: Site) -> None:
    with pytest.raises(EngineError, match="another name") as caught:
        RemoteEngine(site.server.url, ALICE, site.ca).hello()
    assert "address" in caught.value.remedy


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_is_trusted_through_the_environment_also_on_this_computer(
    site: Site, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(variable, str(site.ca))
    assert "tiny" in RemoteEngine(site.url, ALICE).hello()["models"]


def test_certificates_that_are_named_count_more_than_those_of_the_environment(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    assert "tiny" in RemoteEngine(site.url, ALICE, site.ca).hello()["models"]


def test_https_asked_as_http_and_the_other_way_round_are_said(site: Site, running: object) -> None:
    for url in (site.url.replace("https", "http"), running.url.replace("http", "https")):  # type: ignore[attr-defined]
        with pytest.raises(EngineError, match="http") as caught:
            RemoteEngine(url, ALICE, site.ca).hello()
        assert "http" in caught.value.remedy


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--model", "no-such-model"], "has no model"),
        (["--device", "cuda:7"], "cuda:7"),
        (["--prompt", "spleeen"], "spleen"),
    ],
)
def test_what_the_server_cannot_do_is_exit_code_two_and_no_file(
    site: Site, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], token: None, more: list[str], said: str
) -> None:
    given = words(scan, tmp_path / "a.seg.nrrd", "--server", site.url, "--ca-file", str(site.ca), *more)
    assert main(given) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_token_a_missing_server_and_options_without_one_are_exit_code_two(
    site: Site, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATSEGMENT_TOKEN", "wrong-token-0123456789")
    out = tmp_path / "a.seg.nrrd"
    assert main(words(scan, out, "--server", site.url, "--ca-file", str(site.ca))) == 2
    assert "token" in capsys.readouterr().err
    assert main(words(scan, out, "--server", "http://127.0.0.1:9")) == 2
    assert "cannot be reached" in capsys.readouterr().err
    assert main(words(scan, out, "--ca-file", str(site.ca))) == 2
    assert "--server" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals as a terminal sends them")
def test_ctrl_c_ends_the_run_on_the_server_too(site: Site, tmp_path: Path) -> None:
    write(long_image(), tmp_path / "long.nii")
    client = start(*words(tmp_path / "long.nii", tmp_path / "a.seg.nrrd", "--server", site.url, "--ca-file", site.ca))
    assert "Plan" in client.stderr.readline()
    client.send_signal(signal.SIGINT)
    _, err = client.communicate(timeout=60)  # the run itself takes longer
    assert client.returncode == 1, err
    assert "cancelled" in err
    assert "Traceback" not in err
    assert [one.name for one in tmp_path.iterdir()] == ["long.nii"]
    # The next one need not wait for it, and nothing of it is kept.
    import requests

    until = time.monotonic() + 10
    while True:
        text = requests.get(
            f"{site.url}/metrics", headers={"Authorization": f"Bearer {ALICE}"}, verify=site.ca, timeout=5
        ).text
        if "satsegment_queue_length 0.0" in text and "satsegment_scans 0.0" in text:
            break
        assert time.monotonic() < until, text
        time.sleep(0.1)


class Line:
    """Between client and server: cut once, after so many bytes have gone to the server."""

    def __init__(self, port: int, cut_after: int) -> None:
        self._port, self._left, self.cut = port, cut_after, False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            for source, target, counted in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._carry, args=(source, target, counted), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while piece := source.recv(1 << 16):
                if counted and not self.cut:
                    self._left -= len(piece)
                    if self._left < 0:
                        self.cut = True
                        raise OSError
                target.sendall(piece)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self._listening.close()


def test_a_connection_that_is_lost_while_the_scan_is_sent_costs_nothing(
    site: Site, scan: Path, tmp_path: Path, token: None, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(site.server.port, 60_000)
    url = f"https://localhost:{line.port}"
    out = tmp_path / "a.seg.nrrd"
    assert main(words(scan, out, "--server", url, "--ca-file", str(site.ca))) == 0, capsys.readouterr().err
    assert line.cut
    assert out.is_file()
    line.close()
