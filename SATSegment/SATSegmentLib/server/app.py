"""The server's addresses: HTTP to `Service` and back."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import zlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Query, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.requests import ClientDisconnect

import SATSegmentLib
from SATSegmentLib.engine import messages
from SATSegmentLib.engine.api import EngineError, SegmentAnswer, SegmentRequest, TeachRequest
from SATSegmentLib.engine.messages import Hello
from SATSegmentLib.engine.transport.wire import EVENTS_TYPE, RESULT_TYPE, LimitExceeded
from SATSegmentLib.grid.digest import CHUNK_BYTES
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.server import schemas
from SATSegmentLib.server.direct_body import EXTENSION, ReceiveInto
from SATSegmentLib.server.failures import handle_errors
from SATSegmentLib.server.gate import Gate
from SATSegmentLib.server.result_files import result_file
from SATSegmentLib.server.runs import Run
from SATSegmentLib.server.scans import StoredScan
from SATSegmentLib.server.service import Service, looked_after
from SATSegmentLib.server.tokens import Tokens
from SATSegmentLib.storage.write import Format
from SATSegmentLib.types import Example

_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": schemas.ErrorAnswer, "description": "Refused; the error says why and what to do."},
    "5XX": {"model": schemas.ErrorAnswer, "description": "The server could not do it."},
}
# What zlib may add to voxels that do not get smaller.
_PACKING_BYTES = 1 << 16

v1 = APIRouter(prefix="/v1", responses=_ERRORS)
root = APIRouter()


def create_app(service: Service, tokens: Tokens) -> FastAPI:
    """The server as an ASGI application.

    Parameters
    ----------
    service : Service
        What it does.
    tokens : Tokens
        For whom.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with looked_after(service):
            yield

    app = FastAPI(
        title="SATSegment",
        version=SATSegmentLib.__version__,
        summary="Text-prompted segmentation of CT, MRI and PET. Research use only; not a medical device.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # As seen from the description's own address: a proxy may have put it under any prefix.
        servers=[{"url": "."}],
    )
    app.state.service = service
    app.include_router(root)
    app.include_router(v1)
    handle_errors(app)
    app.add_middleware(Gate, tokens=tokens, limits=service.limits, metrics=service.metrics)
    return app


@root.get("/health")
async def health() -> schemas.HealthAnswer:
    """Whether the server is up; needs no token."""
    return schemas.HealthAnswer()


@root.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """The page of all addresses; needs no token."""
    return get_swagger_ui_html(openapi_url="openapi.json", title="SATSegment")


@root.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Counts and times for Prometheus; nothing of a patient, a scan or a user."""
    return Response(_service(request).metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@v1.get("/hello")
async def hello(request: Request) -> schemas.HelloAnswer:
    """Which version the server speaks, and what it has."""
    service, own = _service(request), Hello()
    return schemas.HelloAnswer(
        protocol=own.protocol,
        satsegment=own.satsegment,
        changes=own.changes,
        models=list(service.models()),
        devices=list(service.options.devices),
        chunk_bytes=CHUNK_BYTES,
        lease_seconds=service.limits.lease_seconds,
    )


@v1.put("/scans/{scan}")
async def open_scan(request: Request, scan: schemas.Digest, body: schemas.ScanBody) -> schemas.ScanAnswer:
    """Say which scan comes, or ask how much of it is here."""
    return _scan_answer(_service(request).scans.open(_user(request), scan, body.head()))


@v1.put(
    "/scans/{scan}/chunks/{number}",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_chunk(
    request: Request,
    scan: schemas.Digest,
    number: int,
    content_encoding: Annotated[str, Header(description='"identity", or "deflate" for zlib.')] = "identity",
) -> schemas.ScanAnswer:
    """A piece of a scan's voxels, as it is or compressed; sent again as often as needed.

    What is not compressed may be several pieces, one after the other from this number on; those that arrive whole stay.
    """
    service, user = _service(request), _user(request)
    stored = service.scans.get(user, scan)
    if content_encoding not in ("identity", "deflate"):
        raise EngineError(f"The encoding {content_encoding!r} is not understood.", "Use identity or deflate.")
    packed, announced = content_encoding == "deflate", request.headers.get("content-length", "")
    length = stored.piece_bytes(number) if packed or not announced.isdecimal() else int(announced)
    pieces = stored.pieces_of(number, length)
    with stored.room_for(pieces, length + (_PACKING_BYTES if packed else 0), in_place=not packed) as room:
        content, is_whole = await _received(request, room)
        if packed:
            content = await asyncio.to_thread(_unpacked, content, length)
        if len(content) != length and (packed or is_whole):
            raise EngineError(f"A piece of the scan has {len(content)} bytes and not {length}.", "Send it again.")
        # It may have gone while the piece was on its way.
        stored = service.scans.get(user, scan)
        service.metrics.received.inc(stored.put(pieces, content))
    if not is_whole:
        raise ClientDisconnect
    return _scan_answer(stored)


@v1.delete("/scans/{scan}", status_code=204)
async def remove_scan(request: Request, scan: schemas.Digest) -> None:
    """Let a scan and its features go, once the runs on it have ended."""
    service = _service(request)
    service.scans.release(service.scans.get(_user(request), scan))


@v1.post("/lease")
async def renew(request: Request, body: schemas.LeaseBody) -> schemas.LeaseAnswer:
    """The heartbeat: a client's scans stay."""
    service = _service(request)
    kept = service.scans.renew(_user(request), body.scans)
    return schemas.LeaseAnswer(kept=kept, seconds=service.limits.lease_seconds)


@v1.post("/scans/{scan}/runs", status_code=201)
async def start_run(
    request: Request, scan: schemas.Digest, body: schemas.SegmentBody | schemas.TeachBody
) -> schemas.RunAnswer:
    """Segment, plan or teach; it waits for its turn on the scan's device."""
    service, user = _service(request), _user(request)
    options = service.checked_options(body.options.options())
    stored = service.scans.whole(user, scan)
    if isinstance(body, schemas.TeachBody):
        others = [service.scans.whole(user, one.scan) for one in body.examples]
        asked: SegmentRequest | TeachRequest = await asyncio.to_thread(_teach_request, body, others, options)
        scans = [stored, *(one for one in others if one is not stored)]
    else:
        if len(body.prompts) > service.limits.prompts:
            raise LimitExceeded(
                f"{len(body.prompts)} structures at once; this server takes {service.limits.prompts}.", "Ask for fewer."
            )
        prompts = tuple(one.prompt() for one in body.prompts)
        asked, scans = SegmentRequest(stored.image(), prompts, options, body.word_contents()), [stored]
    return _run_answer(service.start(body.kind, scans, asked, body.key))


@v1.get("/scans/{scan}/runs/{run}")
async def look_at_run(request: Request, scan: schemas.Digest, run: schemas.RunName) -> schemas.RunAnswer:
    """How far a run has come, and its table of structures."""
    found = _run(request, scan, run)
    return await asyncio.to_thread(_run_answer, found)


@v1.get(
    "/scans/{scan}/runs/{run}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {EVENTS_TYPE: {}}, "description": "One JSON object a line."}},
)
async def events(
    request: Request,
    scan: schemas.Digest,
    run: schemas.RunName,
    after: Annotated[int, Query(ge=0, description="Number of the last event that was read.")] = 0,
) -> StreamingResponse:
    """Progress, plan, warnings and finished structures of a run as they come, until "done" or "failed".

    One JSON object a line. A "result" names a structure that is finished (`index`); its mask is under `structures`.
    """
    found = _run(request, scan, run)

    async def lines() -> AsyncIterator[bytes]:
        async for event in found.events(after):
            yield json.dumps(event).encode() + b"\n"

    return StreamingResponse(lines(), media_type=EVENTS_TYPE, headers={"Cache-Control": "no-store"})


@v1.get(
    "/scans/{scan}/runs/{run}/structures/{index}",
    response_class=Response,
    responses={200: {"content": {RESULT_TYPE: {}}, "description": "A line of JSON, then the arrays that it names."}},
)
async def structure(request: Request, scan: schemas.Digest, run: schemas.RunName, index: int) -> Response:
    """One structure of a run that may still go on, with its packed mask; statistics and flags come with the result."""
    found = _run(request, scan, run).found.get(index)
    if found is None:
        raise LimitExceeded("This structure is not finished.", "Follow the run's events until it is.")
    return await _framed(messages.pack("result", 0, found))


@v1.get(
    "/scans/{scan}/runs/{run}/result",
    response_class=Response,
    responses={200: {"content": {RESULT_TYPE: {}}, "description": "A line of JSON, then the arrays that it names."}},
)
async def result(request: Request, scan: schemas.Digest, run: schemas.RunName) -> Response:
    """What came of a run, with packed masks: a line of JSON, and the arrays it names (`engine/messages.py`)."""
    return await _framed(_answer(_run(request, scan, run)))


@v1.post(
    "/scans/{scan}/runs/{run}/file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The file."}},
    openapi_extra={
        "requestBody": {
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            "description": "For DICOM results: the DICOM files that the scan was made from; they need no pixels.",
        }
    },
)
async def file_of(
    request: Request, scan: schemas.Digest, run: schemas.RunName, format: Annotated[Format, Query()] = "seg.nrrd"
) -> Response:
    """A run's results as a file: Slicer's .seg.nrrd, DICOM SEG or RTSTRUCT."""
    service, found = _service(request), _run(request, scan, run)
    answer = messages.unpack(_answer(found), SegmentAnswer) if found.kind == "segment" else None
    if answer is None:
        raise EngineError("Only a segmentation has results to write.", "Ask for the result itself.")
    headers = await request.body()
    image = found.scans[0].image()
    content = await asyncio.to_thread(result_file, image, answer, format, headers, service.options.spill)
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


@v1.post("/scans/{scan}/runs/{run}/cancel", status_code=202)
async def cancel(request: Request, scan: schemas.Digest, run: schemas.RunName) -> schemas.RunAnswer:
    """Have a run stop."""
    found = _run(request, scan, run)
    if not found.ended:
        found.cancel()
    return _run_answer(found, whole=False)


@v1.delete("/scans/{scan}/runs/{run}", status_code=204)
async def forget_run(request: Request, scan: schemas.Digest, run: schemas.RunName) -> None:
    """Have a run stop, and keep nothing of it."""
    found = _run(request, scan, run)
    if not found.ended:
        found.cancel()
    _service(request).runs.forget(found)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _user(request: Request) -> str:
    return str(request.state.user)


def _run(request: Request, scan: str, run: str) -> Run:
    return _service(request).find(_user(request), scan, run)


def _answer(run: Run) -> messages.Message:
    if run.error is not None:
        raise run.error
    if run.answer is None:
        raise LimitExceeded("The run has not ended yet.", "Follow its events until it has.")
    return run.answer


async def _framed(message: messages.Message) -> Response:
    body = await asyncio.to_thread(lambda: b"".join(messages.frame(message)))
    return Response(body, media_type=RESULT_TYPE, headers={"Cache-Control": "no-store"})


def _scan_answer(scan: StoredScan) -> schemas.ScanAnswer:
    return schemas.ScanAnswer(scan=scan.digest, complete=scan.complete, missing=scan.missing, chunk_bytes=CHUNK_BYTES)


def _run_answer(run: Run, whole: bool = True) -> schemas.RunAnswer:
    answer = schemas.RunAnswer(run=run.name, kind=run.kind, state=run.state, seconds=round(run.seconds, 3))
    if run.error is not None:
        answer.error = schemas.ErrorDetail(**run.error.as_dict())
    if run.answer is not None and whole:
        if run.kind == "segment":
            answer.structures = _structures(messages.unpack(run.answer, SegmentAnswer))
        elif run.kind == "plan":
            answer.plan = dataclasses.asdict(messages.unpack(run.answer, RunPlan))
    return answer


def _structures(found: SegmentAnswer) -> list[schemas.StructureAnswer]:
    return [
        schemas.StructureAnswer(
            text=one.prompt.text,
            modality=one.prompt.modality,
            trained=one.prompt.trained,
            status=one.status,
            voxels=one.voxels,
            volume_ml=one.volume_ml,
            mean_probability=one.mean_probability,
            max_probability=one.max_probability,
            cut_by=list(one.cut_by),
        )
        for one in found.results
    ]


def _teach_request(body: schemas.TeachBody, scans: list[StoredScan], options: Any) -> TeachRequest:
    examples = []
    for one, scan in zip(body.examples, scans, strict=True):
        image = scan.image()
        examples.append(Example(image, one.mask.on_grid(image.array.shape)))
    return TeachRequest(tuple(examples), body.name, body.modality, body.orientation, options)


async def _received(request: Request, room: memoryview) -> tuple[memoryview, bool]:
    """What came of a request's body, written into this room, and whether that is all of it."""
    receive_into: ReceiveInto | None = request.scope.get("extensions", {}).get(EXTENSION, {}).get("call")
    if receive_into is not None and int(request.headers["content-length"]) <= len(room):
        limits = _service(request).limits
        count = await receive_into(room, limits.stall_seconds, limits.chunk_seconds)
        return room[:count], count == int(request.headers["content-length"])
    count = 0
    try:
        async for piece in request.stream():
            if count + len(piece) > len(room):
                raise EngineError("A piece of the scan is too long.", "Send it again.")
            room[count : count + len(piece)] = piece
            count += len(piece)
    except ClientDisconnect:
        return room[:count], False
    return room[:count], True


def _unpacked(content: memoryview, length: int) -> memoryview:
    """A compressed piece's bytes: never more than was announced, whatever a hostile stream would grow to."""
    try:
        return memoryview(zlib.decompressobj().decompress(content, length + 1))
    except zlib.error as error:
        raise EngineError("A piece of the scan is damaged.", "Send it again.") from error
