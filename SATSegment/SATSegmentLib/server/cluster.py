"""Several GPUs or computers: the same server in replicas under Ray Serve, each scan with one of them.

    satsegment serve --replicas 2 --gpus-per-replica 1 --tokens tokens.txt --host 0.0.0.0

Each replica is a deployment of its own, with its scans, features and children. In front stands one that keeps nothing:
it reads which scan a request is about, and passes it on. Ray itself has no users and no encryption: its own ports
belong behind a firewall, and tokens are needed here as everywhere.
"""

# No `annotations` from `__future__`: FastAPI reads those of `Front`, which Ray takes to another process.

import asyncio
import hashlib
import json
import re
import signal
import threading
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from ray import serve
from ray.serve.handle import DeploymentHandle

from SATSegmentLib.engine.transport.wire import ROUTE_HEADER
from SATSegmentLib.server.app import create_app
from SATSegmentLib.server.serve import Listening, check
from SATSegmentLib.server.service import ServerOptions, Service, looked_after
from SATSegmentLib.server.tokens import Tokens

_SCAN = re.compile(r"^/v1/scans/([0-9a-f]{64})(/|$)")
_DIGEST = re.compile(r"^[0-9a-f]{64}$")
_TO_ALL = "/v1/lease"
_MOST_BYTES = 1 << 26
# Streams of events are requests that last.
_AT_ONCE = 1000

front = FastAPI(openapi_url=None)


def replica_of(path: str, route: str, count: int) -> int:
    """Which replica a request belongs to: that of its scan, by rendezvous hashing, so that most stay where they are.

    Parameters
    ----------
    path : str
        Of the request.
    route : str
        What the client says the request is about (`ROUTE_HEADER`): a lesson's examples go where the first one is.
    count : int
        Of replicas.
    """
    found = _SCAN.match(path)
    scan = route if _DIGEST.match(route) else found.group(1) if found else ""
    return max(range(count), key=lambda number: hashlib.sha256(f"{number} {scan}".encode()).digest())


@serve.deployment
class Replica:
    """One server: scans, features, devices.

    Parameters
    ----------
    options : ServerOptions
        How it runs.
    users : dict
        User's name by token.
    """

    def __init__(self, options: ServerOptions, users: dict[str, str]) -> None:
        self._options, self._users = options, users
        self._app: Any = None

    async def handle(self, scope: dict[str, Any], body: bytes) -> AsyncIterator[Any]:
        """Answer one request: (status, headers) first, then the pieces of the body."""
        await self._start()
        answer: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        received = False

        async def receive() -> dict[str, Any]:
            nonlocal received
            if received:
                await asyncio.Event().wait()
            received = True
            return {"type": "http.request", "body": body, "more_body": False}

        task = asyncio.create_task(self._app({**scope, "type": "http"}, receive, answer.put))
        try:
            while True:
                message = await answer.get()
                if message["type"] == "http.response.start":
                    yield message["status"], message.get("headers", [])
                else:
                    if message.get("body"):
                        yield message["body"]
                    if not message.get("more_body", False):
                        return
        finally:
            task.cancel()

    async def _start(self) -> None:
        """In the event loop that answers."""
        if self._app is None:
            service = Service(self._options)
            self._app = create_app(service, Tokens(self._users))
            self._after = looked_after(service)
            await self._after.__aenter__()


# Before `Front`: Ray takes that class to another process with what is known by then.
async def _asked(
    replica: DeploymentHandle, scope: dict[str, Any], body: bytes
) -> tuple[int, dict[str, str], AsyncIterator[bytes]]:
    answer: Any = replica.handle.remote(scope, body)
    status, headers = await answer.__anext__()
    return status, {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}, answer


@serve.deployment
@serve.ingress(front)
class Front:
    """Passes requests on; keeps nothing.

    Parameters
    ----------
    *replicas : DeploymentHandle
        The servers behind.
    """

    def __init__(self, *replicas: DeploymentHandle) -> None:
        self._replicas = [one.options(stream=True) for one in replicas]

    @front.api_route("/{path:path}", methods=["GET", "PUT", "POST", "DELETE"])
    async def answer(self, request: Request, path: str) -> Response:
        """Any request."""
        scope = {name: request.scope[name] for name in ("method", "path", "raw_path", "query_string", "http_version")}
        scope |= {"headers": list(request.scope["headers"]), "scheme": "http", "root_path": "", "server": None}
        body = await request.body()
        if len(body) > _MOST_BYTES:
            return JSONResponse({"error": {"kind": "LimitExceeded", "message": "The request is too large."}}, 413)
        number = replica_of(request.url.path, request.headers.get(ROUTE_HEADER, ""), len(self._replicas))
        if request.url.path == _TO_ALL:
            return await self._renewed(scope, body)
        status, headers, pieces = await _asked(self._replicas[number], scope, body)
        return StreamingResponse(pieces, status, headers)

    async def _renewed(self, scope: dict[str, Any], body: bytes) -> Response:
        """A heartbeat is for all: a client's scans may be with several."""
        kept: set[str] = set()
        for replica in self._replicas:
            status, _, pieces = await _asked(replica, scope, body)
            said = json.loads(b"".join([piece async for piece in pieces]))
            if status != 200:
                return JSONResponse(said, status)
            kept |= set(said["kept"])
        return JSONResponse({**said, "kept": sorted(kept)})


def serve_replicas(
    listening: Listening, options: ServerOptions, tokens: Tokens, replicas: int, gpus: float, cpus: float = 1.0
) -> None:
    """Serve under Ray until the process is told to end.

    Parameters
    ----------
    listening : Listening
        Where the front listens.
    options : ServerOptions
        Of each replica.
    tokens : Tokens
        For whom.
    replicas : int
        How many; on as many computers as Ray's cluster has.
    gpus, cpus : float
        That each of them is given.
    """
    check(listening, tokens)
    resources = {"num_gpus": gpus, "num_cpus": cpus}
    # Ray's decorator has made something else of the two classes.
    replica: Any = Replica
    front_end: Any = Front
    behind = [
        replica.options(name=f"replica-{number}", ray_actor_options=resources, max_ongoing_requests=_AT_ONCE).bind(
            options, tokens.as_dict()
        )
        for number in range(replicas)
    ]
    serve.start(http_options={"host": listening.host, "port": listening.port})
    app = front_end.options(max_ongoing_requests=_AT_ONCE, ray_actor_options={"num_cpus": 0}).bind(*behind)
    serve.run(app, name="satsegment", route_prefix="/")
    print(f"SATSegment listens ({replicas} replicas) on http://{listening.host}:{listening.port}", flush=True)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    serve.shutdown()
