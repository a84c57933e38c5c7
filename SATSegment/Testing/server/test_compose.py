"""The compose file keeps weights out of images, scans off the disk, and the server behind its proxy."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


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
