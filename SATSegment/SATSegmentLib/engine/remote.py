"""An engine on a server: the scan is sent once, runs go on there, and nothing here needs PyTorch."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import queue
import threading
import time
import uuid
import weakref
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from SATSegmentLib.engine import messages
from SATSegmentLib.engine.api import (
    EngineError,
    RunListener,
    RunOptions,
    SegmentAnswer,
    SegmentRequest,
    TeachAnswer,
    TeachRequest,
    busy,
)
from SATSegmentLib.engine.messages import Message
from SATSegmentLib.engine.process import CANCEL_GRACE_SECONDS, pass_on
from SATSegmentLib.engine.transport.http import Connection, find_token
from SATSegmentLib.engine.transport.upload import send_scan
from SATSegmentLib.engine.transport.wire import ConnectionLost, NotKept
from SATSegmentLib.errors import Cancelled, SATSegmentError, ScanDamaged, from_dict
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.grid.digest import digest_of
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.inference.windows import WindowChoice
from SATSegmentLib.types import Image, Progress

T = TypeVar("T")

# The panel asks from one thread; a run that was cancelled has given this up by then.
_BUSY_SECONDS = CANCEL_GRACE_SECONDS + 1.0
_POLL_SECONDS = 0.02
# How often a run starts anew where the server no longer has the scan: it was restarted, or the scan's lease ran out.
_ATTEMPTS = 3
_GOODBYE_SECONDS = 2.0


class RemoteEngine:
    """A server behind the interface of `engine.api.Engine`.

        engine = RemoteEngine("https://gpu-box:8765", token)
        answer = engine.segment(SegmentRequest.of(image, "left hippocampus", RunOptions("sat-nano"), "mri"))

    A scan is sent when the first prompt asks for it, and stays on the server as long as this engine lives and is used;
    prompts that come later find its features there.

    Parameters
    ----------
    url : str
        The server's address.
    token : str or None
        By default that of the environment (`engine.transport.http.find_token`).
    ca_file : str
        Certificates to trust instead of the system's.
    patience_seconds : float
        For so long a connection that was lost is tried again.

    Raises
    ------
    EngineError
        The address or the token cannot be used; nothing is sent yet.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        ca_file: str | os.PathLike[str] = "",
        patience_seconds: float = 30.0,
    ) -> None:
        token = find_token() if token is None else token
        self._address = (url, token, str(ca_file), patience_seconds)
        self.connection = Connection(*self._address)
        self._busy = threading.Lock()
        self._hello: dict[str, Any] | None = None
        self._kept: set[str] = set()
        self._heart: _Heart | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return self.connection.url

    def hello(self) -> dict[str, Any]:
        """Ask the server what it is: "satsegment" (its version), "models", "devices". No scan is sent.

        Raises
        ------
        VersionMismatch, AccessDenied, ConnectionLost, EngineError
            Why it cannot be used, and what to do.
        """
        self._hello = self.connection.hello()
        return self._hello

    def segment(self, request: SegmentRequest, listener: RunListener | None = None) -> SegmentAnswer:
        """Segment; see `engine.api.Engine`."""
        return messages.unpack(self._run("segment", [request.image], request, listener), SegmentAnswer)

    def plan(self, request: SegmentRequest, listener: RunListener | None = None) -> RunPlan:
        """What `segment` would take; see `engine.api.Engine`. The scan is sent, if it is not there yet."""
        return messages.unpack(self._run("plan", [request.image], request, listener), RunPlan)

    def teach(self, request: TeachRequest, listener: RunListener | None = None) -> TeachAnswer:
        """Learn a word; see `engine.api.Engine`."""
        images = [example.image for example in request.examples]
        return messages.unpack(self._run("teach", images, request, listener), TeachAnswer)

    def prepare(self, request: SegmentRequest) -> None:
        """Send a scan ahead of its run, while another run goes on; any thread may call it.

        Raises
        ------
        SATSegmentError
            The scan is not taken, or the server cannot be reached.
        """
        digest, connection = digest_of(request.image), Connection(*self._address)
        try:
            connection.hello()
            send_scan(
                connection,
                request.image,
                digest,
                digest,
                lambda action: connection.retried(action, lambda: False, lambda seconds: None),
                lambda stage: None,
            )
            self._keep([digest])
        finally:
            connection.close()

    def forget(self, digest: str) -> None:
        """Have the server let one scan go (`grid.digest.digest_of`), and its features."""
        self._kept.discard(digest)
        with contextlib.suppress(SATSegmentError):
            self.connection.call("DELETE", f"/v1/scans/{digest}", digest, _GOODBYE_SECONDS)

    def close(self) -> None:
        """Have the server let the scans go. A later request sends them again."""
        if self._heart is not None:
            self._heart.stop()
            self._heart = None
        for digest in sorted(self._kept):
            self.forget(digest)
        self._hello = None
        self.connection.close()

    def _run(self, kind: str, images: list[Image], request: Any, listener: RunListener | None) -> Message:
        # As the local engine says it, and before a scan is sent.
        WindowChoice(request.options.windows, request.options.overlap)
        if not self._busy.acquire(timeout=_BUSY_SECONDS):
            raise busy()
        try:
            listener = listener or RunListener()
            return _follow(_Talk(self, kind, images, request, listener.on_result is not None), listener)
        finally:
            self._busy.release()

    def _greet(self, talk: _Talk) -> None:
        if self._hello is None:
            talk.retried(self.hello)

    def _keep(self, digests: list[str]) -> None:
        """Have the scans stay on the server."""
        self._kept.update(digests)
        if self._heart is None:
            lease = float((self._hello or {}).get("lease_seconds", 60.0))
            self._heart = _Heart(self, lease / 3)

    def beat(self) -> None:
        """Say that the scans are still wanted; where the server has lost one, it is sent again when it is needed."""
        with contextlib.suppress(SATSegmentError):
            kept = self.connection.json("POST", "/v1/lease", json={"scans": sorted(self._kept)}, seconds=10.0)["kept"]
            self._kept &= set(kept)


class _Heart:
    """Keeps an engine's scans on the server; ends with the engine, and does not keep it alive."""

    def __init__(self, engine: RemoteEngine, seconds: float) -> None:
        self._stopped = threading.Event()
        reference = weakref.ref(engine)
        threading.Thread(target=self._run, args=(reference, seconds), daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self, reference: weakref.ref[RemoteEngine], seconds: float) -> None:
        while not self._stopped.wait(seconds):
            engine = reference()
            if engine is None:
                return
            engine.beat()
            del engine


class _Talk:
    """One run's conversation with the server, in a thread: whoever asked listens, and may go at any time.

    Parameters
    ----------
    structures : bool
        Whether each structure's mask is fetched as soon as it is finished.

    Attributes
    ----------
    heard : queue of Message
        Progress, plans, warnings and structures on the way; then one "done" or "failed".
    """

    def __init__(
        self, engine: RemoteEngine, kind: str, images: list[Image], request: Any, structures: bool = False
    ) -> None:
        self.heard: queue.SimpleQueue[Message | SATSegmentError | BaseException] = queue.SimpleQueue()
        self._engine, self.connection = engine, engine.connection
        self._kind, self._images, self._request = kind, images, request
        # Of structures that were fetched; where a run starts anew, it finds them again.
        self._wanted, self._fetched = structures, set[int]()
        self._stopped = threading.Event()
        self._path = self._route = ""
        threading.Thread(target=self._work, daemon=True).start()

    def cancel(self) -> None:
        """Have the server stop; does not wait for it."""
        self._stopped.set()
        if self._path:
            threading.Thread(target=self._say_cancel, daemon=True).start()

    def retried(self, action: Callable[[], T]) -> T:
        """As `Connection.retried`, heard by whoever asked."""

        def tell(seconds: float) -> None:
            self._tell(f"no connection to the server for {seconds:.0f} s; trying again")

        self._check()
        return self.connection.retried(action, self._stopped.is_set, tell)

    def _work(self) -> None:
        try:
            self._engine._greet(self)
            for attempt in range(_ATTEMPTS):
                try:
                    self.heard.put(self._once())
                    return
                except (NotKept, ScanDamaged):
                    # The server was restarted, the scan's lease ran out, or it was damaged on the way: all of it again.
                    self._engine._kept.clear()
                    if attempt + 1 == _ATTEMPTS:
                        raise
        except BaseException as error:
            self.heard.put(error)

    def _once(self) -> Message:
        digests = [digest_of(image) for image in self._images]
        self._route = digests[0]
        if not set(digests) <= self._engine._kept:
            for image, digest in zip(self._images, digests, strict=True):
                send_scan(self.connection, image, digest, self._route, self.retried, self._tell)
            self._engine._keep(digests)
        body = {**_body(self._kind, self._request, digests), "key": uuid.uuid4().hex}
        runs = f"/v1/scans/{self._route}/runs"
        started = self.retried(lambda: self.connection.json("POST", runs, route=self._route, json=body))
        self._path = path = f"{runs}/{started['run']}"
        try:
            self._hear(path)
            return self.retried(lambda: self._get(f"{path}/result"))
        finally:
            self._path = ""
            with contextlib.suppress(SATSegmentError):
                self.connection.call("DELETE", path, self._route, _GOODBYE_SECONDS)

    def _hear(self, path: str) -> None:
        """Pass on what the run says until it has ended."""
        after, is_done = 0, False

        def hear(event: dict[str, Any]) -> None:
            nonlocal after, is_done
            self._check()
            if event["type"] == "failed":
                raise from_dict(event["content"], EngineError)
            if event["type"] == "result":
                self._fetch(path, int(event["content"]["index"]))
            elif event["type"] not in ("alive", "done"):
                self.heard.put(Message(event["type"], 0, event["content"]))
            # Only now: where the connection was lost on the way, the event comes again.
            after, is_done = max(after, event["number"]), event["type"] == "done"

        def listen() -> None:
            try:
                # To the end of the stream, which comes right after "done": so the connection can be used again.
                for event in self.connection.events(f"{path}/events", after, self._route):
                    hear(event)
            except ConnectionLost:
                if not is_done:
                    raise
            if not is_done:
                raise ConnectionLost("The server stopped in the middle of a run.", "Run it again.")

        self.retried(listen)

    def _fetch(self, path: str, index: int) -> None:
        """A structure that is finished, before all others are."""
        if self._wanted and index not in self._fetched:
            self.heard.put(self._get(f"{path}/structures/{index}"))
            self._fetched.add(index)

    def _get(self, path: str) -> Message:
        response = self.connection.call("GET", path, self._route)
        answer = messages.read_frame(io.BytesIO(response.content))
        if answer is None:
            raise EngineError("The server's answer is empty.", "Run it again.")
        return answer

    def _tell(self, stage: str) -> None:
        self.heard.put(messages.pack("progress", 0, Progress(0.0, stage)))

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Cancelled

    def _say_cancel(self) -> None:
        with contextlib.suppress(SATSegmentError):
            self.connection.call("POST", f"{self._path}/cancel", self._route, _GOODBYE_SECONDS)


def _follow(talk: _Talk, listener: RunListener) -> Message:
    """Pass on what a conversation brings, in the thread that asked, until it has an answer or an error."""
    give_up_at: float | None = None
    try:
        while True:
            if give_up_at is None and listener.cancel is not None and listener.cancel():
                talk.cancel()
                give_up_at = time.monotonic() + CANCEL_GRACE_SECONDS
            if give_up_at is not None and time.monotonic() > give_up_at:
                raise Cancelled
            try:
                heard = talk.heard.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(heard, BaseException):
                raise Cancelled if give_up_at is not None else heard
            if heard.type == "done":
                return heard
            if give_up_at is None:
                pass_on(heard, listener)
    except BaseException:
        # A callback that failed, Ctrl+C: the run must not go on unseen.
        talk.cancel()
        raise


def _body(kind: str, request: Any, digests: list[str]) -> dict[str, Any]:
    """A request as the server's JSON."""
    body: dict[str, Any] = {"kind": kind, "options": _options(request.options)}
    if isinstance(request, TeachRequest):
        examples = [
            {"scan": digest, "mask": _mask(example.mask)}
            for digest, example in zip(digests, request.examples, strict=True)
        ]
        wanted = {"name": request.name, "modality": request.modality, "orientation": request.orientation}
        return {**body, **wanted, "examples": examples}
    prompts = messages.pack("prompts", 0, request.prompts).content
    return {**body, "prompts": prompts, "words": [base64.b64encode(word).decode() for word in request.words]}


def _options(options: RunOptions) -> dict[str, Any]:
    look = ("feature_storage", "threshold", "grid", "keep_probabilities", "windows", "overlap")
    values = {name: getattr(options, name) for name in ("model", "device", "precision", *look)}
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}


def _mask(mask: np.ndarray) -> dict[str, Any]:
    cropped = CroppedMask.from_array(mask)
    bits = base64.b64encode(zlib.compress(cropped.bits.tobytes(), 1)).decode()
    return {"bits": bits, "offset": list(cropped.offset), "shape": list(cropped.shape)}
