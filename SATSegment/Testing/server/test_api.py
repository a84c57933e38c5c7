"""The server's addresses under everything that may be sent to them."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from helpers.local_server import ALICE, BOB, ServerProcess, request, server_here
from helpers.small_model import headLikeImage
from SATSegmentLib.engine import messages
from SATSegmentLib.engine.api import EngineError
from SATSegmentLib.engine.remote import RemoteEngine
from SATSegmentLib.engine.transport.upload import Packer, send_scan
from SATSegmentLib.grid.digest import CHUNK_BYTES, digest_of
from SATSegmentLib.server.app import create_app
from SATSegmentLib.server.limits import ServerLimits
from SATSegmentLib.server.service import ServerOptions, Service
from SATSegmentLib.server.tokens import Tokens
from SATSegmentLib.types import Image

VERSION = {"SATSegment-Protocol": str(messages.PROTOCOL)}
HEADERS = {"Authorization": f"Bearer {ALICE}", **VERSION}


def head_of(image: Image) -> dict:
    array = image.array
    return {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "transposed": False,
        "ijk_to_ras": image.ijk_to_ras.tolist(),
    }


def put(url: str, path: str, **more: object) -> requests.Response:
    headers = {**HEADERS, **more.pop("headers", {})}
    return requests.put(url + path, headers=headers, timeout=20, **more)


def large_image(seed: int = 0) -> Image:
    """Two pieces and a half."""
    array = np.random.default_rng(seed).integers(-1000, 1000, (80, 256, 512), np.int16)
    assert array.nbytes == 2.5 * CHUNK_BYTES
    return Image(array, np.diag([1.0, 1.0, 2.0, 1.0]))


def test_a_server_without_what_models_need_does_not_start(monkeypatch) -> None:
    from SATSegmentLib.server import serve

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(serve, "serve_app", lambda *_: pytest.fail("it started"))
    with pytest.raises(EngineError, match=r"torch.*satsegment\[server\]"):
        serve.serve(serve.Listening(), ServerOptions(("cpu",)), Tokens({}))


@pytest.mark.skipif(sys.platform == "win32", reason="no signals for another process")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_stops_a_server_with_exit_code_0(name: str) -> None:
    """Ctrl+C, `systemctl stop` and a closed terminal; anything but 0 would count as a crash."""
    server = ServerProcess({}, "--device", "cpu")
    server.process.send_signal(getattr(signal, name))
    assert "stopped" in server.process.stdout.read()
    assert server.process.wait(10) == 0


def test_openapi_describes_every_address_and_its_page_is_there(running) -> None:
    schema = requests.get(f"{running.url}/openapi.json", timeout=10).json()
    assert set(schema["paths"]) >= {"/health", "/metrics", "/v1/hello", "/v1/scans/{scan}", "/v1/scans/{scan}/runs"}
    assert "Research use only" in schema["info"]["summary"]
    assert requests.get(f"{running.url}/docs", timeout=10).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize(
    "token", ["", "Bearer", "Bearer x", f"Basic {ALICE}", f"Bearer {ALICE[:-1]}", f"Bearer {BOB}é"]
)
def test_nothing_of_a_user_is_had_without_the_token(running, method: str, token: str) -> None:
    headers = {**VERSION, "Authorization": token.encode("latin-1")}
    for path in ("/v1/hello", f"/v1/scans/{'a' * 64}", f"/v1/scans/{'a' * 64}/runs", "/v1/lease", "/metrics", "/other"):
        answer = requests.request(method, running.url + path, headers=headers, timeout=10)
        assert answer.status_code == 401
        assert answer.json()["error"]["kind"] == "AccessDenied"
    assert requests.get(f"{running.url}/health", timeout=10).json() == {"status": "ok"}


def test_without_tokens_only_this_computer_is_answered_by_its_own_name(models_folder, monkeypatch) -> None:
    """A page in a browser that was led here under another name gets nothing."""
    service = Service(ServerOptions(("cpu",)))
    with server_here(create_app(service, Tokens({}))) as url:
        assert RemoteEngine(url, "").hello()["protocol"] == messages.PROTOCOL
        answer = requests.get(f"{url}/v1/hello", headers={"Host": "evil.example"}, timeout=10)
        assert answer.status_code == 421
        # A page cannot set this header without being asked first, and nobody agrees to that.
        assert requests.post(f"{url}/v1/lease", json={"scans": []}, timeout=10).status_code == 426


@pytest.mark.parametrize(
    ("spoken", "words"), [("1", "client"), ("99", "client"), ("", "does not say"), ("x", "not say")]
)
def test_versions_that_do_not_fit_are_said(running, spoken: str, words: str) -> None:
    headers = {**HEADERS, "SATSegment-Protocol": spoken}
    answer = requests.post(f"{running.url}/v1/lease", json={"scans": []}, headers=headers, timeout=10)
    assert answer.status_code == 426
    assert answer.json()["error"]["kind"] == "VersionMismatch"
    assert words in answer.json()["error"]["message"]


def test_a_scan_is_sent_in_pieces_packed_or_not_and_goes_on_where_it_stopped(running) -> None:
    image = large_image()
    digest, content = digest_of(image), image.array.tobytes()
    path = f"/v1/scans/{digest}"
    assert put(running.url, path, json=head_of(image)).json()["missing"] == [0, 1, 2]
    pieces = [content[n * CHUNK_BYTES : (n + 1) * CHUNK_BYTES] for n in range(3)]
    packed = {"Content-Encoding": "deflate"}
    assert put(running.url, f"{path}/chunks/1", data=zlib.compress(pieces[1], 1), headers=packed).json()["missing"] == [
        0,
        2,
    ]
    assert put(running.url, f"{path}/chunks/2", data=pieces[2]).json()["missing"] == [0]
    # A client that comes back is told what is missing.
    assert put(running.url, path, json=head_of(image)).json()["missing"] == [0]
    run = {"kind": "plan", "key": "k" * 8, "prompts": []}
    assert requests.post(f"{running.url}{path}/runs", json=run, headers=HEADERS, timeout=10).status_code == 404
    assert put(running.url, f"{path}/chunks/0", data=pieces[0]).json()["complete"]
    stored = running.service.scans.get("alice", digest)
    np.testing.assert_array_equal(stored.image().array, image.array)
    assert requests.delete(running.url + path, headers=HEADERS, timeout=10).status_code == 204


def test_several_pieces_come_in_one_request_packed_ones_alone(running) -> None:
    image = large_image(1)
    content, path = image.array.tobytes(), f"/v1/scans/{digest_of(image)}"
    put(running.url, path, json=head_of(image))
    assert put(running.url, f"{path}/chunks/1", data=content[CHUNK_BYTES:]).json()["missing"] == [0]
    # What is there already may come again; and nothing may end in the middle of a piece.
    for data in (content[:-1], content + b"x"):
        answer = put(running.url, f"{path}/chunks/0", data=data)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (400, "EngineError")
    packed = put(
        running.url, f"{path}/chunks/0", data=zlib.compress(content, 1), headers={"Content-Encoding": "deflate"}
    )
    assert packed.status_code == 400
    assert put(running.url, f"{path}/chunks/0", data=content).json()["complete"]
    np.testing.assert_array_equal(running.service.scans.get("alice", digest_of(image)).image().array, image.array)
    assert requests.delete(running.url + path, headers=HEADERS, timeout=10).status_code == 204


def test_of_several_pieces_those_that_came_whole_stay_where_the_connection_broke(running) -> None:
    image = large_image(3)
    digest, content = digest_of(image), image.array.tobytes()
    put(running.url, f"/v1/scans/{digest}", json=head_of(image))
    host, port = running.url.removeprefix("http://").split(":")
    lines = [f"PUT /v1/scans/{digest}/chunks/0 HTTP/1.1", f"Host: {host}", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in HEADERS.items()]
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall("\r\n".join([*lines, "", ""]).encode() + content[: CHUNK_BYTES + 1000])
    stored, until = running.service.scans.get("alice", digest), time.monotonic() + 10
    while stored.missing == [0, 1, 2] and time.monotonic() < until:
        time.sleep(0.05)
    assert stored.missing == [1, 2]
    assert put(running.url, f"/v1/scans/{digest}/chunks/1", data=content[CHUNK_BYTES:]).json()["complete"]
    requests.delete(f"{running.url}/v1/scans/{digest}", headers=HEADERS, timeout=10)


def test_a_scan_that_two_clients_bring_at_once_is_whole_for_both(running) -> None:
    image = large_image(23)
    path, content = f"/v1/scans/{digest_of(image)}", image.array.tobytes()
    put(running.url, path, json=head_of(image))
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(put, running.url, f"{path}/chunks/0", data=content) for _ in range(3)]
        asked.append(pool.submit(put, running.url, path, json=head_of(image)))
        answers = [one.result() for one in asked]
    assert [one.status_code for one in answers] == [200] * 4
    assert all(one.json()["complete"] for one in answers[:3])
    assert requests.delete(running.url + path, headers=HEADERS, timeout=10).status_code == 204


def test_a_scan_that_is_not_what_it_is_called_is_not_looked_at_and_goes(running) -> None:
    """Voxels that were changed on the way, and a place that is not the named one's."""
    image = headLikeImage(25)
    digest, head = digest_of(image), head_of(image)
    moved = {**head, "ijk_to_ras": np.diag([1.0, 1.0, 1.5, 1.0]).tolist()}
    path = f"/v1/scans/{digest}"
    for said, content in ((head, (image.array + 1).tobytes()), (moved, image.array.tobytes())):
        put(running.url, path, json=said)
        assert put(running.url, f"{path}/chunks/0", data=content).json()["complete"]
        body = {"kind": "segment", "key": str(len(content)) + str(said is moved), "options": {"model": "tiny"}}
        body["prompts"] = messages.pack("prompts", 0, request().prompts).content
        started = requests.post(f"{running.url}{path}/runs", json=body, headers=HEADERS, timeout=10)
        run = f"{running.url}{path}/runs/{started.json()['run']}"
        events = requests.get(f"{run}/events", headers=HEADERS, timeout=60)
        last = json.loads(events.content.splitlines()[-1])
        assert (last["type"], last["content"]["kind"]) == ("failed", "ScanDamaged"), last
        requests.delete(run, headers=HEADERS, timeout=10)
        assert put(running.url, path, json=head).json()["missing"] == [0]
        requests.delete(running.url + path, headers=HEADERS, timeout=10)


@pytest.mark.parametrize("spoil", ["too long", "too short", "bomb", "not packed", "no such piece"])
def test_a_piece_that_is_not_right_is_refused_and_the_scan_can_still_come(running, spoil: str) -> None:
    image = headLikeImage(24)
    image = Image(image.array + np.float32(hash(spoil) % 1000), image.ijk_to_ras)
    digest, content = digest_of(image), image.array.tobytes()
    path = f"/v1/scans/{digest}"
    put(running.url, path, json=head_of(image))
    number, headers, data = 0, {}, content
    if spoil == "too long":
        data = content + b"x"
    elif spoil == "too short":
        data = content[:-1]
    elif spoil == "bomb":
        headers, data = {"Content-Encoding": "deflate"}, zlib.compress(bytes(200_000_000))
    elif spoil == "not packed":
        headers = {"Content-Encoding": "deflate"}
    else:
        number = 1
    answer = put(running.url, f"{path}/chunks/{number}", data=data, headers=headers)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["message"]
    put(running.url, path, json=head_of(image))
    assert put(running.url, f"{path}/chunks/0", data=content).json()["complete"]


def test_a_scan_too_large_and_too_many_of_them_are_refused_before_they_are_sent(running) -> None:
    head = {**head_of(headLikeImage(8)), "shape": [1 << 20, 1 << 20, 1 << 20]}
    answer = put(running.url, f"/v1/scans/{'b' * 64}", json=head)
    assert answer.status_code == 413
    assert "this server takes 33.6 MB" in answer.json()["error"]["message"]
    heads = [put(running.url, f"/v1/scans/{n:064x}", json=head_of(headLikeImage(8))) for n in range(6)]
    assert {one.status_code for one in heads[4:]} == {413}
    for n in range(6):
        requests.delete(f"{running.url}/v1/scans/{n:064x}", headers=HEADERS, timeout=10)


@pytest.mark.parametrize("how", ["stops", "leaves"])
def test_a_half_sent_piece_ends_by_itself_and_disturbs_nobody(running, alice: RemoteEngine, how: str) -> None:
    image = headLikeImage({"stops": 30, "leaves": 31}[how])
    digest = digest_of(image)
    put(running.url, f"/v1/scans/{digest}", json=head_of(image))
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        lines = [f"PUT /v1/scans/{digest}/chunks/0 HTTP/1.1", f"Host: {host}", f"Content-Length: {image.array.nbytes}"]
        lines += [f"{name}: {value}" for name, value in HEADERS.items()]
        line.sendall("\r\n".join([*lines, "", ""]).encode() + image.array.tobytes()[:1000])
        assert alice.segment(request()).results
        if how == "stops":
            line.settimeout(60)
            assert b"408" in line.recv(4096).splitlines()[0]
    assert put(running.url, f"/v1/scans/{digest}", json=head_of(image)).json()["missing"] == [0]
    assert put(running.url, f"/v1/scans/{digest}/chunks/0", data=image.array.tobytes()).json()["complete"]


def test_a_request_that_follows_in_the_same_breath_as_a_piece_is_answered(running) -> None:
    """The piece goes past the parser, straight into its place; what comes behind it does not."""
    image = headLikeImage(29)
    digest, content = digest_of(image), image.array.tobytes()
    put(running.url, f"/v1/scans/{digest}", json=head_of(image))
    host, port = running.url.removeprefix("http://").split(":")
    named = [f"{name}: {value}" for name, value in {**HEADERS, "Host": host}.items()]
    first = [f"PUT /v1/scans/{digest}/chunks/0 HTTP/1.1", f"Content-Length: {len(content)}", *named, "", ""]
    second = ["GET /v1/hello HTTP/1.1", "Connection: close", *named, "", ""]
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall("\r\n".join(first).encode() + content + "\r\n".join(second).encode())
        said = b"".join(iter(lambda: line.recv(1 << 16), b""))
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert b'"complete":true' in said
    assert b"research_use_only" in said


def test_a_server_that_reads_bodies_as_every_other_does_gets_the_same(running) -> None:
    """Ray Serve, for one, brings a uvicorn of its own."""
    image = large_image(2)
    with server_here(create_app(Service(ServerOptions(("cpu",)), [_Nothing()]), Tokens({})), http="auto") as url:
        engine = RemoteEngine(url, "")
        send_scan(engine.connection, image, digest_of(image), "", lambda action: action(), lambda text: None)
        answer = put(url, f"/v1/scans/{digest_of(image)}", json=head_of(image)).json()
    assert answer["complete"]


@pytest.mark.parametrize(
    ("line", "packed"), [(1e3, [True, False]), (2e6, [True, False]), (150e6, [False, False]), (1e9, [False, False])]
)
def test_a_piece_is_packed_where_the_line_is_slower_than_the_compressor(line: float, packed: list[bool]) -> None:
    """And not where it would not get smaller."""
    smooth = np.arange(1 << 20, dtype="<i2").repeat(2)
    noise = np.random.default_rng(0).integers(0, 256, 1 << 20, np.uint8)
    found = []
    for voxels in (smooth, noise):
        packer, piece = Packer(), memoryview(voxels.view(np.uint8))
        assert packer.pack(piece) == (piece, {})  # how fast the line is, is not known yet
        with packer.sending(len(piece)):
            pass
        packer._line = line
        packer._rate, packer._share = (50e6, 0.3) if voxels is smooth and line > 1e6 else (0.0, 1.0)
        data, headers = packer.pack(piece)
        assert (zlib.decompress(data) if headers else bytes(data)) == voxels.tobytes()
        found.append(bool(headers))
    assert found == packed


@pytest.mark.parametrize("http", [None, "httptools"])
def test_a_piece_that_trickles_in_is_ended_although_it_never_stops(http: str | None) -> None:
    """Received straight into its place, and as every other server does."""
    image = headLikeImage(28)
    digest = digest_of(image)
    limits = ServerLimits(stall_seconds=5, chunk_seconds=0.6)
    service = Service(ServerOptions(("cpu",), limits=limits), [_Nothing()])
    with server_here(create_app(service, Tokens({ALICE: "alice"})), http=http) as url:
        put(url, f"/v1/scans/{digest}", json=head_of(image))
        host, port = url.removeprefix("http://").split(":")
        named = [f"{name}: {value}" for name, value in {**HEADERS, "Host": host}.items()]
        first = [f"PUT /v1/scans/{digest}/chunks/0 HTTP/1.1", f"Content-Length: {image.array.nbytes}", *named, "", ""]
        began = time.monotonic()
        with socket.create_connection((host, int(port)), timeout=0.1) as line:
            line.sendall("\r\n".join(first).encode())
            said = b""
            while not said and time.monotonic() - began < 10:
                line.sendall(b"x" * 100)
                with contextlib.suppress(TimeoutError):
                    said = line.recv(4096)
        assert b"408" in said.splitlines()[0]
        assert put(url, f"/v1/scans/{digest}", json=head_of(image)).json()["missing"] == [0]
        assert put(url, f"/v1/scans/{digest}/chunks/0", data=image.array.tobytes()).json()["complete"]


def test_metrics_have_counts_and_nothing_of_a_patient(running, alice: RemoteEngine) -> None:
    alice.segment(request())
    text = requests.get(f"{running.url}/metrics", headers=HEADERS, timeout=10).text
    assert 'satsegment_runs_total{kind="segment",outcome="done"}' in text
    assert "satsegment_queue_length 0.0" in text
    for secret in ("alice", "hippocampus", next(iter(alice._kept)), ALICE):
        assert secret not in text


def test_a_run_is_run_once_however_often_it_is_asked_for(running, alice: RemoteEngine) -> None:
    alice.segment(request())
    (digest,) = alice._kept
    body = {"kind": "segment", "key": "the same key", "prompts": [{"text": "brainstem", "modality": "mri"}]}
    body["options"] = {"model": "tiny"}
    runs = f"{running.url}/v1/scans/{digest}/runs"
    names = {requests.post(runs, json=body, headers=HEADERS, timeout=10).json()["run"] for _ in range(3)}
    assert len(names) == 1
    run = f"{runs}/{names.pop()}"
    lines = requests.get(f"{run}/events", headers=HEADERS, timeout=20).text.splitlines()
    assert '"done"' in lines[-1]
    table = requests.get(run, headers=HEADERS, timeout=10).json()
    assert [one["text"] for one in table["structures"]] == ["brainstem"]
    requests.delete(run, headers=HEADERS, timeout=10)


# --- everything else that may be sent


class _Nothing:
    """A device without a network: what is tested here never reaches it."""

    def segment(self, request, listener=None):
        raise AssertionError

    plan = teach = segment

    def forget(self, digest):
        pass

    def close(self):
        pass


def _app() -> FastAPI:
    limits = ServerLimits(scan_bytes=1 << 20, total_bytes=1 << 24, orphan_seconds=0.5)
    return create_app(Service(ServerOptions(("cpu",), limits=limits), [_Nothing()]), Tokens({ALICE: "alice"}))


schema = schemathesis.openapi.from_asgi("/openapi.json", _app())


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def test_whatever_is_sent_gets_an_answer_that_was_promised(case: schemathesis.Case) -> None:
    # What is well-formed may still be refused: a device, a model or a scan that is not here.
    case.call_and_validate(headers=HEADERS, timeout=10, excluded_checks=[positive_data_acceptance])
