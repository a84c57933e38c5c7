"""Behind a reverse proxy: under a prefix, through one that speaks for many, and through nginx as deploy/ sets it up."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import pytest
import requests
import trustme

from helpers.local_server import ALICE, long_image, request
from SATSegmentLib.engine.api import RunListener
from SATSegmentLib.engine.remote import RemoteEngine
from SATSegmentLib.engine.transport.upload import send_scan
from SATSegmentLib.engine.transport.wire import ConnectionLost
from SATSegmentLib.errors import Cancelled
from SATSegmentLib.grid.digest import digest_of
from SATSegmentLib.types import Image

ROOT = Path(__file__).parents[3]
_PREFIX = "/radiology/sat"


class _Proxy(ThreadingHTTPServer):
    """Passes on what comes under a prefix, piece by piece, and says for whom it asks."""

    daemon_threads = True
    port = 0
    away = False


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy

    def _pass_on(self) -> None:
        if self.server.away or not self.path.startswith(_PREFIX):
            self.send_error(502 if self.server.away else 404)
            return
        behind = http.client.HTTPConnection("127.0.0.1", self.server.port)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        forwarded = {"X-Forwarded-For": "10.0.0.7", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": _PREFIX}
        headers |= {"Host": "gpu-box.example", "Connection": "close", **forwarded}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        behind.request(self.command, self.path.removeprefix(_PREFIX), body, headers)
        answer = behind.getresponse()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.send_header("Connection", "close")
        self.end_headers()
        while piece := answer.read1(1 << 16):
            self.wfile.write(piece)
            self.wfile.flush()
        behind.close()
        self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 - named by the library

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(running) -> Iterator[_Proxy]:
    with _Proxy(("127.0.0.1", 0), _Passing) as server:
        server.port = int(running.url.rpartition(":")[2])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def url_of(proxy: _Proxy) -> str:
    return f"http://127.0.0.1:{proxy.server_port}{_PREFIX}/"


def test_under_a_prefix_everything_is_as_without(proxy: _Proxy, alice: RemoteEngine) -> None:
    behind = RemoteEngine(url_of(proxy), ALICE)
    stages: list[str] = []
    ours = behind.segment(request(), RunListener(progress=lambda one: stages.append(one.stage)))
    assert stages
    for one, other in zip(ours.results, alice.segment(request()).results, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
    # A whole piece of a scan is the largest body there is.
    send_large(behind)
    behind.close()


def test_the_page_of_all_addresses_finds_them_under_the_prefix(proxy: _Proxy) -> None:
    """As a browser does: what the page names is relative to the page, the server's address to its description."""
    page = requests.get(urljoin(url_of(proxy), "docs"), timeout=10)
    described = urljoin(page.url, re.search(r"url: '([^']+)'", page.text).group(1))
    schema = requests.get(described, timeout=10).json()
    server = urljoin(described, schema["servers"][0]["url"]).rstrip("/")
    assert server == url_of(proxy).rstrip("/")
    assert requests.get(f"{server}/health", timeout=10).json() == {"status": "ok"}


def send_large(engine: RemoteEngine) -> None:
    """A scan of a whole piece and a bit."""
    voxels = np.random.default_rng(4).integers(0, 99, (17, 512, 512), np.int16)
    image = Image(voxels, np.eye(4))
    digest = digest_of(image)
    send_scan(engine.connection, image, digest, digest, lambda action: action(), lambda text: None)
    engine.connection.call("DELETE", f"/v1/scans/{digest}", digest)


def test_events_and_a_cancel_come_through_while_the_run_goes_on(proxy: _Proxy) -> None:
    behind = RemoteEngine(url_of(proxy), ALICE)
    heard: list[float] = []
    listener = RunListener(progress=lambda one: heard.append(one.fraction), cancel=lambda: any(heard))
    began = time.monotonic()
    with pytest.raises(Cancelled):
        behind.segment(request(long_image()), listener)
    assert time.monotonic() - began < 20
    behind.close()


def test_a_proxy_whose_server_is_away_is_a_connection_lost_and_not_another_program(proxy: _Proxy) -> None:
    proxy.away = True
    with pytest.raises(ConnectionLost, match="not available"):
        RemoteEngine(url_of(proxy), ALICE).hello()
    behind = RemoteEngine(url_of(proxy), ALICE)
    threading.Timer(0.5, setattr, (proxy, "away", False)).start()
    assert behind.segment(request()).results  # it came back
    behind.close()


@pytest.mark.long
@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_through_nginx_with_tls_as_deploy_sets_it_up(running, alice: RemoteEngine, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate")
    port = _free_port()
    site = (ROOT / "deploy/nginx.conf").read_text()
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/run/secrets", str(tmp_path)),
        ("http://satsegment:8765", running.url),
    ):
        assert old in site
        site = site.replace(old, new)
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
        f"events {{}}\nhttp {{\n{temporary}{site}\n}}\n"
    )
    nginx = subprocess.Popen(["nginx", "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "error.log")])
    try:
        time.sleep(1)
        behind = RemoteEngine(f"https://localhost:{port}", ALICE, tmp_path / "ca.pem")
        ours = behind.segment(request())
        for one, other in zip(ours.results, alice.segment(request()).results, strict=True):
            np.testing.assert_array_equal(one.mask, other.mask)
        send_large(behind)
        heard: list[float] = []
        listener = RunListener(progress=lambda one: heard.append(one.fraction), cancel=lambda: any(heard))
        with pytest.raises(Cancelled):
            behind.segment(request(long_image()), listener)
        # Nothing of a scan is on the proxy's disk.
        assert [path for path in (tmp_path / "client_body").rglob("*") if path.is_file()] == []
        behind.close()
    finally:
        nginx.terminate()
        nginx.wait(10)


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
