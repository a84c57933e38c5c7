"""HTTP to a server: what goes out, what comes back, and every way in which it can fail, as errors of our own.

`requests` carries it: it is in every Slicer.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import requests.auth

from SATSegmentLib.engine import messages
from SATSegmentLib.engine.api import EngineError
from SATSegmentLib.engine.messages import Hello
from SATSegmentLib.engine.transport.wire import (
    ALIVE_SECONDS,
    PROTOCOL_HEADER,
    ROUTE_HEADER,
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLE,
    AccessDenied,
    ConnectionLost,
    is_loopback,
)
from SATSegmentLib.errors import Cancelled, SATSegmentWarning, from_dict

T = TypeVar("T")

_HELLO = "/v1/hello"
_CONNECT_SECONDS = 5.0
# A stream that says nothing for so long is dead: a server says that it is alive more often.
_SILENT_SECONDS = 4 * ALIVE_SECONDS
_FIRST_PATIENCE = 2.0
# As much as is asked for at once; a piece that is there is not kept waiting for more.
_LINE_BYTES = 1 << 16
# OpenSSL's words for an answer that is not TLS, and for a certificate of another name.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "wrong version number", "record layer failure", "RECORD_LAYER_FAILURE")
_OTHER_NAME = ("Hostname mismatch", "IP address mismatch", "doesn't match")
# What a proxy answers while the server behind it is away.
_AWAY = (502, 503, 504)


class Connection:
    """A server's address, and how to talk to it. Several threads may.

    Parameters
    ----------
    url : str
        "https://gpu-box:8765".
    token : str
        Shown to the server; may be empty where it listens on this computer only.
    ca_file : str
        Certificates to trust instead of the system's, for a server with a certificate of the site's own.
    patience_seconds : float
        For so long a connection that was lost is tried again.

    Raises
    ------
    EngineError
        The address or the token cannot be used.
    """

    def __init__(self, url: str, token: str = "", ca_file: str = "", patience_seconds: float = 30.0) -> None:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise EngineError(
                f"{url!r} is not the address of a server.", "Write it like https://gpu-box:8765; the token goes apart."
            )
        if ca_file and not Path(ca_file).is_file():
            raise EngineError(f"There is no file of certificates {ca_file}.", "Check its name.")
        token = token.strip()
        if not _can_be_sent(token):
            # What it holds is not said: it may be most of the real one.
            raise EngineError(
                "The token has characters that no token has: spaces, line breaks, or letters of another script.",
                "Copy it again as it was given to you.",
            )
        self.url = url.strip().rstrip("/")
        self.is_local = is_loopback(parts.hostname)
        if parts.scheme == "http" and not self.is_local:
            warnings.warn(
                f"{parts.hostname} is asked without encryption: scans, and the token, can be read on the way. "
                "Use https.",
                SATSegmentWarning,
                stacklevel=3,
            )
        self._patience = patience_seconds
        self._greeted = False
        self._http = requests.Session()
        # A proxy of the environment cannot reach this computer's own address.
        self._http.trust_env = not self.is_local
        self._http.auth = _Bearer(token)
        self._http.headers.update({PROTOCOL_HEADER: str(messages.PROTOCOL), "Accept-Encoding": "identity"})
        # With each request: for a session's own setting, `requests` would prefer the environment's.
        self._verify = ca_file or _environments_certificates() or True

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def hello(self) -> dict[str, Any]:
        """What the server says of itself, once it is clear that it speaks our version.

        Raises
        ------
        VersionMismatch, AccessDenied, ConnectionLost, EngineError
        """
        said = self.json("GET", _HELLO)
        try:
            hello = Hello(int(said["protocol"]), str(said["satsegment"]), dict(said["changes"]))
        except (KeyError, TypeError, ValueError) as error:
            raise self._no_server() from error
        messages.check_hello(hello, "The server")
        self._greeted = True
        return said

    def json(self, method: str, path: str, **more: Any) -> Any:
        """The JSON that an address answers with; None where it answers with nothing."""
        response = self.call(method, path, **more)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise self._no_server() from error

    def call(
        self, method: str, path: str, route: str = "", seconds: float = 60.0, stream: bool = False, **more: Any
    ) -> requests.Response:
        """One request.

        Parameters
        ----------
        method, path : str
            "GET", "/v1/hello".
        route : str
            Name of the scan that it is about, for a cluster.
        seconds : float
            How long an answer may take.
        stream : bool
            Whether the answer is read piece by piece.
        **more
            As `requests.request`: json, data, headers, params.

        Raises
        ------
        ConnectionLost
            The server cannot be reached, or stopped in the middle.
        SATSegmentError
            What the server answered, of the same type.
        """
        headers = {**more.pop("headers", {}), **({ROUTE_HEADER: route} if route else {})}
        with self._lost():
            response = self._http.request(
                method,
                self.url + path,
                headers=headers,
                stream=stream,
                timeout=(_CONNECT_SECONDS, seconds),
                verify=self._verify,
                # Wherever it leads to, it is not the server whose address was given.
                allow_redirects=False,
                **more,
            )
        if response.status_code >= 300:
            with response, self._lost():
                self._fail(response)
        return response

    def lines(self, response: requests.Response) -> Iterator[dict[str, Any]]:
        """The objects of a stream of JSON lines.

        Raises
        ------
        ConnectionLost
            It stopped in the middle.
        """
        # In the pieces in which they were sent; without such pieces byte by byte, for nobody says where a line ends.
        size = _LINE_BYTES if getattr(response.raw, "chunked", False) else 1
        with response, self._lost():
            for line in response.iter_lines(chunk_size=size):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise ConnectionLost("The server's answer was cut off.", "Run it again.") from error

    def events(self, path: str, after: int, route: str) -> Iterator[dict[str, Any]]:
        """A run's events after a number."""
        return self.lines(self.call("GET", path, route, _SILENT_SECONDS, stream=True, params={"after": after}))

    def retried(self, action: Callable[[], T], stopped: Callable[[], bool], tell: Callable[[float], None]) -> T:
        """What `action` returns; where the connection is lost it is tried again for a while.

        Parameters
        ----------
        action : callable
            May raise `ConnectionLost`, and may be called again then.
        stopped : callable
            Whether nobody waits for it any more.
        tell : callable
            Gets for how many seconds the connection has been lost.

        Raises
        ------
        ConnectionLost
            It could not be made again.
        """
        lost_at, pause = 0.0, 0.1
        while True:
            try:
                return action()
            except ConnectionLost as error:
                now = time.monotonic()
                lost_at = lost_at or now
                if stopped():
                    raise Cancelled from error
                if now - lost_at > (self._patience if self._greeted else _FIRST_PATIENCE):
                    raise
                tell(now - lost_at)
                time.sleep(pause)
                pause = min(2 * pause, 2.0)

    @contextlib.contextmanager
    def _lost(self) -> Iterator[None]:
        """What `requests` raises, as errors of ours."""
        try:
            yield
        except requests.exceptions.SSLError as error:
            raise self._tls_error(str(error)) from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise EngineError(f"{self.url} is not the address of a server.", "Check it.") from error
        except requests.exceptions.InvalidJSONError as error:
            raise EngineError(
                "The request holds a number that is infinite or not a number; it was not sent.", "Check its options."
            ) from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise self._connection_lost() from error

    def _connection_lost(self) -> ConnectionLost:
        known = self._greeted or self.url.startswith("https")
        return ConnectionLost(
            f"The server {self.url} cannot be reached, or the connection was lost. Nothing was lost here.",
            "Check the network and whether the server runs; then run it again."
            if known
            else "Check the network and whether the server runs; if it has a certificate, write https://.",
        )

    def _tls_error(self, said: str) -> EngineError:
        """Why an encrypted connection could not be made, by what OpenSSL says."""
        if any(one in said for one in _NOT_TLS):
            return EngineError(
                f"What answers at {self.url} does not speak https.", "Write http:// if the server has no certificate."
            )
        if any(one in said for one in _OTHER_NAME):
            return EngineError(
                f"The certificate that {self.url} shows is for another name.",
                "Use the address that the certificate is for, or ask who runs the server.",
            )
        if "CERTIFICATE_VERIFY_FAILED" not in said:
            # An encrypted connection that breaks off is no less lost than any other.
            return self._connection_lost()
        return EngineError(
            f"The certificate of {self.url} is not trusted.",
            "Give the site's certificates: --ca-file, or the environment variable SSL_CERT_FILE.",
        )

    def _fail(self, response: requests.Response) -> None:
        """Raise what an answer that is not a success says."""
        if response.status_code == 404 and urlsplit(response.url).path.endswith(_HELLO):
            # Also where a server of ours says so: it is not at this address.
            raise self._no_server(response.status_code)
        try:
            said = response.json()["error"]
            error = from_dict(said, EngineError)
        except (ValueError, KeyError, TypeError) as problem:
            if response.status_code in _AWAY:
                raise ConnectionLost(
                    f"The server {self.url} is not available (HTTP {response.status_code}).",
                    "Wait until it runs again, or ask who runs it.",
                ) from problem
            if response.status_code in (401, 403, 407):
                raise AccessDenied(
                    f"{self.url} does not let this program in (HTTP {response.status_code}).", "Check the token."
                ) from problem
            raise self._no_server(response.status_code) from problem
        raise error

    def _no_server(self, status: int = 200) -> EngineError:
        return EngineError(
            f"What answers at {self.url} is not a SATSegment server (HTTP {status}).", "Check the address."
        )


def _environments_certificates() -> str:
    """Certificates that the environment says to trust; empty where it says nothing."""
    named = (os.environ.get(name, "") for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"))
    return next((file for file in named if file and os.path.exists(file)), "")


def _can_be_sent(token: str) -> bool:
    """Whether a token fits into a header of HTTP."""
    try:
        token.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return token.isprintable() and len(token.split()) <= 1


def find_token(file: str | os.PathLike[str] | None = None) -> str:
    """The token of a file, or of the environment: SATSEGMENT_TOKEN, or the file that SATSEGMENT_TOKEN_FILE names.

    Raises
    ------
    EngineError
        The file cannot be read, or is empty.
    """
    chosen = file or ("" if os.environ.get(TOKEN_VARIABLE) else os.environ.get(TOKEN_FILE_VARIABLE))
    if not chosen:
        return os.environ.get(TOKEN_VARIABLE, "").strip()
    try:
        token = Path(chosen).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"The file of the token, {chosen}, cannot be read.", "Check its name and rights.") from error
    if not token or len(token.split()) != 1:
        raise EngineError(f"The file {chosen} does not hold one token.", "Write the token into it, and nothing else.")
    return token


class _Bearer(requests.auth.AuthBase):
    """The token. As `auth` and not as a header: for that, `requests` would prefer what stands in ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request
