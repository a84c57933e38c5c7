"""The tools as an MCP server: over standard input and output, or HTTP with a token."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import anyio.from_thread
import anyio.to_thread
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import Field

import SATSegmentLib
from SATSegmentLib.agent import answers
from SATSegmentLib.agent.desk import Desk, Scan
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.server.tokens import Tokens
from SATSegmentLib.types import Modality, Progress, WindowRule

T = TypeVar("T")

_INSTRUCTIONS = (
    "Segments CT, MRI and PET scans by the names of structures. Resolve names first where you are not sure; a question "
    "is for a person to decide, never guess. `empty` means not found. Read flags and cut_by_border before you tell a "
    "number. " + answers.NOTE
)

_log = logging.getLogger(__name__)

Text = Annotated[str, Field(description='A name in any wording, for example "lt kidney".', max_length=500)]
Path = Annotated[str, Field(description="File or DICOM folder, inside an allowed folder.", max_length=4096)]
Names = Annotated[list[str], Field(description="Structures by their names.", min_length=1, max_length=100)]
Series = Annotated[int | None, Field(description="Of a DICOM folder with several, from 1.", ge=1)]
Volume = Annotated[int | None, Field(description="Of a DICOM series with several, from 1.", ge=1)]
Frame = Annotated[int | None, Field(description="Of a 4-D file, from 0.", ge=0)]
Windows = Annotated[
    WindowRule,
    Field(
        description="adaptive is faster for few structures in a large scan: it looks at windows around what is found."
    ),
]
Result = Annotated[str, Field(description="As `segment` named it.", max_length=100)]


def create_server(desk: Desk) -> MCPServer:
    """The server with all its tools.

    Parameters
    ----------
    desk : Desk
        What they do.
    """
    server = MCPServer("satsegment", instructions=_INSTRUCTIONS, version=SATSegmentLib.__version__, log_level="WARNING")
    # One after another: an engine has one run at a time.
    turn = anyio.Semaphore(1)

    async def done(action: Callable[[], T]) -> T:
        try:
            async with turn:
                return await anyio.to_thread.run_sync(action, abandon_on_cancel=False)
        except SATSegmentError as error:
            raise ToolError(str(error)) from None
        except Exception:
            _log.exception("a tool failed")
            raise ToolError("The tool failed unexpectedly; the server's log says more.") from None

    @server.tool()
    async def search(text: Text, modality: Modality, limit: int = 8) -> list[answers.Suggestion]:
        """Search the vocabulary of structures; incomplete and misspelt words are fine."""
        return await done(lambda: desk.search(text, modality, limit))

    @server.tool()
    async def resolve(text: Text, modality: Modality) -> answers.Meaning:
        """What a name means as prompts. A question is never answered by a guess."""
        return await done(lambda: desk.resolve(text, modality))

    @server.tool()
    async def inspect(
        scan: Path, series: Series = None, volume: Volume = None, frame: Frame = None
    ) -> answers.ScanFacts:
        """What a scan is: grid, modality, doubts, how many volumes. Nothing of the patient is told."""
        return await done(lambda: desk.inspect(scan, series, volume, frame))

    @server.tool()
    async def plan(
        scan: Path,
        prompts: Names,
        modality: Modality,
        series: Series = None,
        volume: Volume = None,
        frame: Frame = None,
        windows: Windows = "all",
    ) -> answers.PlanFacts:
        """How long a segmentation would take, and how much memory, before it is started."""
        return await done(lambda: desk.plan(Scan(scan, series, volume, frame), prompts, modality, windows))

    @server.tool()
    async def segment(
        context: Context,
        scan: Path,
        prompts: Names,
        modality: Modality,
        save_as: Annotated[str, Field(description="New .seg.nrrd file in an allowed folder; empty for none.")] = "",
        series: Series = None,
        volume: Volume = None,
        frame: Frame = None,
        windows: Windows = "all",
    ) -> answers.Segmentation:
        """Segment structures in a scan: volumes, whether they were found, and reasons not to believe them."""

        def tell(progress: Progress) -> None:
            with contextlib.suppress(Exception):  # whoever asked may be gone
                anyio.from_thread.run(context.report_progress, progress.fraction, 1.0, progress.stage)

        where = Scan(scan, series, volume, frame)
        return await done(lambda: desk.segment(where, prompts, modality, save_as, tell, windows))

    @server.tool()
    async def statistics(result: Result) -> list[answers.StructureStatistics]:
        """Intensities, centroid and extent (RAS, mm), surface and pieces of each structure of a finished run."""
        return await done(lambda: desk.statistics(result))

    @server.tool()
    async def flags(result: Result) -> list[answers.StructureFlags]:
        """Reasons not to believe each structure's mask: wrong side, outside its organ, implausible volume, ..."""
        return await done(lambda: desk.flags(result))

    @server.tool(structured_output=False)
    async def picture(result: Result, structure: Text = "") -> Image:
        """A PNG with three slices through a structure; patient right is on the picture's left."""
        return Image(data=await done(lambda: desk.picture(result, structure)), format="png")

    @server.tool()
    async def report_to_prompts(
        report: Annotated[str, Field(description="Text of a radiology report.", max_length=20_000)], modality: Modality
    ) -> list[answers.ReportMention]:
        """The structures that a report mentions, with how certain it is. None of its words come back."""
        return await done(lambda: desk.report(report, modality))

    return server


def http_app(server: MCPServer, tokens: Tokens, host: str) -> Any:
    """The server as an ASGI application that asks for a token.

    Parameters
    ----------
    server : MCPServer
        From `create_server`.
    tokens : Tokens
        Whose requests pass.
    host : str
        Where it listens.
    """
    # The token keeps strangers out, also those that come by another name of this computer.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=not tokens)
    app = server.streamable_http_app(transport_security=security if tokens else None, host=host)

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
            if tokens.user(headers.get(b"authorization", "")) is None:
                body = json.dumps({"error": "The server does not know your token."}).encode()
                kind = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
                await send({"type": "http.response.start", "status": 401, "headers": kind})
                await send({"type": "http.response.body", "body": body})
                return
        await app(scope, receive, send)

    return guarded
