"""A server on the loopback that speaks what huggingface_hub asks of a hub, and misbehaves when told to."""

from __future__ import annotations

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Hub:
    """Serves `files` ("owner/name/path" -> bytes).

    Attributes
    ----------
    requests: (method, path, range) of all requests so far.
    cut_after: close the connection after this many bytes of each answer.
    corrupt: flip a byte of what is sent, not of the checksum.
    announced_size: say that files are this large.
    ignore_range: answer a range with the whole file, as some proxies do.
    bytes_per_second: slow down.
    etag: sent instead of the checksum; None leaves the header out.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.requests: list[tuple[str, str, str | None]] = []
        self.cut_after: int | None = None
        self.corrupt = False
        self.announced_size: int | None = None
        self.ignore_range = False
        self.bytes_per_second: float | None = None
        self.etag: str | None = ""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub._answer(self, body=False)

            def do_GET(self) -> None:
                hub._answer(self, body=True)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # Looks twenty times a second, and not twice, whether it is to end: each test ends one.
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, body: bool) -> None:
        wanted_range = handler.headers.get("Range")
        self.requests.append((handler.command, handler.path, wanted_range))
        content = self.files.get(handler.path.strip("/").replace("/resolve/main", ""))
        if content is None:
            handler.send_response(404)
            handler.send_header("X-Error-Code", "EntryNotFound")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        large = handler.path.endswith(".pth")
        checksum = hashlib.sha256(content) if large else hashlib.sha1(b"blob %d\0" % len(content) + content)
        start = 0
        if wanted_range and not self.ignore_range:
            start = int(wanted_range.removeprefix("bytes=").split("-")[0])
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(self.announced_size or len(content) - start))
        if self.etag is not None:
            handler.send_header("ETag", self.etag or f'"{checksum.hexdigest()}"')
        handler.send_header("X-Repo-Commit", "0" * 40)
        handler.end_headers()
        if body:
            self._send(handler, content[start:])

    def _send(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        if self.corrupt:
            content = bytes([content[0] ^ 1]) + content[1:]
        if self.cut_after is not None:
            content = content[: self.cut_after]
        block = len(content) or 1
        if self.bytes_per_second:
            block = max(int(self.bytes_per_second / 20), 1)
        try:
            for at in range(0, len(content), block):
                handler.wfile.write(content[at : at + block])
                handler.wfile.flush()
                if self.bytes_per_second:
                    time.sleep(0.05)
        except OSError:
            pass
        if self.cut_after is not None:
            handler.close_connection = True


def tree(folder: Path) -> dict[str, int]:
    """Relative path -> size of all files below a folder."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
