"""A real MCP client asks the tools, over pipes and over HTTP: right numbers, and no name of a patient."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters

import SATSegmentLib
from SATSegmentLib.resources import resource_path

PATIENT = "DOE^JANE"
TOKEN = "agent-0123456789abcdef"
_LIBRARY = str(Path(SATSegmentLib.__file__).parents[1])
_PROGRAM = "import sys; from SATSegmentLib.cli import main; sys.exit(main())"


def words(folder: Path, *more: str) -> list[str]:
    return ["-c", _PROGRAM, "mcp", "--folder", str(folder), "--device", "cpu", *more]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": _LIBRARY, "OMP_NUM_THREADS": "1", **more}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans") / "clinic"
    folder.mkdir()
    shutil.copy(resource_path("Demo/itk_t1.nii.gz"), folder / f"{PATIENT}.nii.gz")
    (folder / "broken.nii").write_bytes(b"nothing")
    return folder


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    found = answer.structured_content
    return found["result"] if set(found) == {"result"} else found


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    return str(answer.content[0].text)


def test_segment_both_hippocampi_in_this_scan_and_tell_me_their_volumes(folder: Path) -> None:
    """As an agent would, from the name to the numbers; and the same numbers as from Python."""
    scan = f"{PATIENT}.nii.gz"

    async def talk() -> tuple[Any, ...]:
        parameters = StdioServerParameters(command=sys.executable, args=words(folder), env=environment())
        async with Client(parameters) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            meaning = await call(client, "resolve", text="both hippocampi", modality="mri")
            facts = await call(client, "inspect", scan=scan)
            plan = await call(client, "plan", scan=scan, prompts=meaning["prompts"], modality="mri")
            found = await call(
                client,
                "segment",
                scan=scan,
                prompts=meaning["prompts"],
                modality="mri",
                save_as="out.seg.nrrd",
                windows="adaptive",
            )
            statistics = await call(client, "statistics", result=found["result"])
            flags = await call(client, "flags", result=found["result"])
            picture = (await client.call_tool("picture", {"result": found["result"]})).content[0]
            mentions = await call(
                client, "report_to_prompts", report=f"{PATIENT}: the left hippocampus is small.", modality="mri"
            )
            hits = await call(client, "search", text="lt hippoc", modality="mri")
            errors = [
                await refused(client, "segment", scan="/etc/passwd", prompts=["brainstem"], modality="mri"),
                await refused(client, "inspect", scan="../clinic/broken.nii"),
                await refused(client, "inspect", scan="broken.nii"),
                await refused(client, "segment", scan=scan, prompts=["no such organ"], modality="mri"),
                await refused(client, "segment", scan=scan, prompts=["brainstem"], modality="mri", save_as="x.txt"),
                await refused(client, "statistics", result="nothing"),
                await refused(client, "segment", scan=scan, prompts=["brainstem"] * 101, modality="mri"),
            ]
            question = await call(client, "resolve", text="kidny stone", modality="mri")
        return tools, facts, plan, found, statistics, flags, picture, mentions, hits, errors, question

    tools, facts, plan, found, statistics, flags, picture, mentions, hits, errors, question = asyncio.run(talk())
    assert tools == {
        "search", "resolve", "inspect", "plan", "segment", "statistics", "flags", "picture", "report_to_prompts",
    }  # fmt: skip
    expected = _volumes(folder / scan)
    assert {one["structure"]: one["volume_ml"] for one in found["structures"]} == pytest.approx(expected, abs=1e-4)
    assert set(expected) == {"left hippocampus", "right hippocampus"}
    assert all(volume > 0.5 for volume in expected.values())
    assert found["written"]
    assert all(one["trained"] for one in found["structures"])
    assert all(0 < one["windows_looked_at"] <= one["windows"] for one in found["structures"])
    assert (folder / "out.seg.nrrd").is_file()
    assert facts["problem"] == ""
    assert plan["windows_to_encode"] > 0
    assert plan["fits"] is True
    assert {one["structure"] for one in statistics} == {one["structure"] for one in flags} == set(expected)
    assert statistics[0]["statistics"]["centroid_ras"]
    assert picture.mime_type == "image/png"
    assert "left hippocampus" in mentions[0]["labels"]
    assert hits[0]["name"] == "left hippocampus"
    assert question["answer"] == "question"
    everything = json.dumps([facts, plan, found, statistics, flags, mentions, hits, errors, question])
    for secret in (PATIENT, "JANE", "clinic", str(folder)):
        assert secret not in everything
    (folder / "out.seg.nrrd").unlink()


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, *words(folder, "--http", "--port", "0")],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(SATSEGMENT_TOKEN=TOKEN),
    )
    yield re.search(r"http://\S+", process.stdout.readline()).group()
    process.terminate()
    process.wait(10)


def test_over_http_a_token_is_needed(address: str) -> None:
    import httpx2 as httpx
    import requests
    from mcp.client.streamable_http import streamable_http_client

    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Accept": "application/json, text/event-stream"}
    for token in ("", "Bearer wrong", f"Bearer {TOKEN}x"):
        answer = requests.post(f"{address}/mcp", json=body, headers={**headers, "Authorization": token}, timeout=10)
        assert answer.status_code == 401

    async def talk() -> Any:
        async with (
            httpx.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as http,
            Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
        ):
            return await call(client, "resolve", text="lt putamen", modality="mri")

    assert asyncio.run(talk())["prompts"] == ["left putamen"]


def _volumes(scan: Path) -> dict[str, float]:
    from SATSegmentLib import Segmenter
    from SATSegmentLib.scans import read_scan

    names = ["left hippocampus", "right hippocampus"]
    found = Segmenter.load("demo", "cpu").segment(read_scan(scan), names, modality="mri")
    return {one.prompt.text: one.volume_ml for one in found}


@pytest.mark.long
def test_an_agents_tools_run_on_a_server_without_pytorch_here(tmp_path: Path) -> None:
    """Same numbers as on this computer, from a process that cannot import what runs a model."""
    pytest.importorskip("fastapi")
    from helpers.local_server import ServerProcess

    shutil.copy(resource_path("Demo/itk_t1.nii.gz"), tmp_path / "head.nii.gz")
    never = (
        "import sys\n"
        "class Never:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'torch', 'transformers', 'safetensors', 'fastapi'}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Never())\n"
    )
    server = ServerProcess({"SATSEGMENT_TOKEN": TOKEN}, "--device", "cpu")
    volumes = []

    async def ask(program: str, *more: str) -> None:
        given = ["-c", program, *words(tmp_path, *more)[2:]]
        parameters = StdioServerParameters(command=sys.executable, args=given, env=environment(SATSEGMENT_TOKEN=TOKEN))
        async with Client(parameters) as client:
            found = await call(
                client, "segment", scan="head.nii.gz", prompts=["both hippocampi"], modality="mri", save_as=""
            )
            volumes.append({one["structure"]: one["volume_ml"] for one in found["structures"]})

    for program, more in ((never + _PROGRAM, ("--server", server.url)), (_PROGRAM, ())):
        asyncio.run(ask(program, *more))
    assert volumes[0] == volumes[1]
    assert len(volumes[0]) == 2
    server.stop()
