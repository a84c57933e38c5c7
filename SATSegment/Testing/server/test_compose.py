"""The compose file keeps weights out of images, scans off the disk, and the server behind its proxy."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

from SATSegmentLib.models.catalog import MODELS_VARIABLE
from SATSegmentLib.server.tokens import _DOCKER_SECRETS

ROOT = Path(__file__).parents[3]


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    return found


def nginx() -> str:
    return (ROOT / "deploy/nginx.conf").read_text()


def dockerfile() -> dict[str, list[str]]:
    """What follows each instruction."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "deploy/Dockerfile").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            instruction, _, rest = line.partition(" ")
            found.setdefault(instruction, []).append(rest)
    return found


def test_every_secret_port_and_place_is_the_same_on_both_sides() -> None:
    whole = compose()
    server, proxy = whole["services"]["satsegment"], whole["services"]["proxy"]
    assert set(server["secrets"]) | set(proxy["secrets"]) == set(whole["secrets"])
    for name in proxy["secrets"]:
        assert f"/run/secrets/{name};" in nginx()
    words = server["command"]
    assert Path(words[words.index("--tokens") + 1]) == _DOCKER_SECRETS / "tokens"
    port = words[words.index("--port") + 1]
    assert server["expose"] == [port] == dockerfile()["EXPOSE"]
    assert f"proxy_pass http://satsegment:{port};" in nginx()
    (models,) = server["volumes"]
    assert server["environment"] == {MODELS_VARIABLE: models.split(":")[1]}
    (site,) = proxy["volumes"]
    assert (ROOT / "deploy" / site.split(":")[0]).is_file()
    build = server["build"]
    assert (ROOT / "deploy" / build["context"] / build["dockerfile"]).is_file()
    # Root's file system cannot be written to; results become files in memory, all else is under /tmp.
    assert server["tmpfs"] == ["/tmp:mode=1777"]
    assert server["shm_size"]


def test_the_health_check_tells_a_server_that_runs_from_one_that_does_not(running) -> None:
    kind, *words = compose()["services"]["satsegment"]["healthcheck"]["test"]
    assert (kind, words[0]) == ("CMD", "python")
    for port, healthy in ((running.url.rpartition(":")[2], True), ("9", False)):
        command = [sys.executable, *(word.replace("8765", port) for word in words[1:])]
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)
        assert (done.returncode == 0) is healthy


def test_the_image_installs_what_the_project_offers_and_does_not_run_as_root() -> None:
    told, project = dockerfile(), tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r"'\.\[(.*?)\]'", told["RUN"][0])
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    # The server's extra brings PyTorch, which a client does without.
    assert "satsegment[local]" in project["optional-dependencies"]["server"]
    assert not any(one.startswith(("torch", "safetensors")) for one in project["dependencies"])
    assert told["ENTRYPOINT"] == [f'["{next(iter(project["scripts"]))}"]']
    assert told["USER"] == ["satsegment"]
    ignored = (ROOT / ".dockerignore").read_text().split()
    needed = [project["readme"], *project["license-files"], "SATSegment", "pyproject.toml"]
    assert not set(needed) & set(ignored)
    assert all((ROOT / one).exists() for one in needed)


def test_the_server_is_reached_through_the_proxy_only_and_with_tokens() -> None:
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    server, proxy = services["satsegment"], services["proxy"]
    assert "ports" not in server
    assert "--tokens" in server["command"]
    assert server["read_only"]
    assert any(volume.endswith("/models:ro") for volume in server["volumes"])
    assert proxy["ports"] == ["443:443"]
    configuration = (ROOT / "deploy/nginx.conf").read_text()
    for line in (
        "proxy_request_buffering off;",
        "proxy_buffering off;",
        "client_max_body_size 65m;",
        "access_log off;",
    ):
        assert line in configuration


def test_the_command_of_the_image_is_understood() -> None:
    from SATSegmentLib.cli.main import build_parser

    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    words = services["satsegment"]["command"]
    assert build_parser("serve").parse_args(words).host == "0.0.0.0"


def test_no_weights_go_into_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {"deploy/models", "deploy/secrets", ".git", ".venv"} <= set(ignored)
