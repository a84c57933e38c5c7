"""Who may use a server: tokens, compared in constant time."""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from SATSegmentLib.engine.api import EngineError
from SATSegmentLib.engine.transport.wire import TOKEN_VARIABLE

# Without tokens there is one user: whoever sits at this computer.
LOCAL_USER = "local"
_LEAST_LETTERS = 16
_DOCKER_SECRETS = Path("/run/secrets")


class Tokens:
    """Users by their tokens.

    Parameters
    ----------
    users : Mapping
        User's name by token; empty where everybody who reaches the server may use it.
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = {token.encode(): name for token, name in users.items()}

    def __bool__(self) -> bool:
        return bool(self._users)

    def as_dict(self) -> dict[str, str]:
        """User's name by token, for another process."""
        return {token.decode(): name for token, name in self._users.items()}

    def user(self, authorization: str) -> str | None:
        """The user whose token an Authorization header holds; None where it is nobody's."""
        if not self._users:
            return LOCAL_USER
        scheme, _, given = authorization.partition(" ")
        # Each is compared, whatever comes of it, so that the time says nothing.
        found = [name for token, name in self._users.items() if hmac.compare_digest(token, given.strip().encode())]
        return found[0] if found and scheme.lower() == "bearer" else None


def read_tokens(file: Path | None) -> Tokens:
    """The tokens of a file with one "user token" a line, or the one of the environment variable SATSEGMENT_TOKEN.

    Raises
    ------
    EngineError
        The file cannot be read, others may read it, or a token is too short to be safe.
    """
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        return Tokens(_checked({token: "user"} if token else {}, TOKEN_VARIABLE))
    try:
        # Docker's secrets are readable by all of their container.
        if (
            os.name == "posix"
            and file.parent != _DOCKER_SECRETS
            and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        ):
            raise EngineError(f"Others may read the tokens in {file}.", f"Run: chmod 600 {file}")
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(
            f"The file of tokens {file} cannot be read: {error}.", "Check its name and rights."
        ) from error
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or words[1] in users:
            raise EngineError(
                f"Line {number} of {file} is not a user and a token of its own.", "Write one user and one token a line."
            )
        users[words[1]] = words[0]
    if not users:
        raise EngineError(f"The file of tokens {file} has none.", "Write one user and one token a line.")
    return Tokens(_checked(users, str(file)))


def _checked(users: dict[str, str], where: str) -> dict[str, str]:
    for token, name in users.items():
        if len(token) < _LEAST_LETTERS or not (token.isascii() and token.isprintable()) or " " in token:
            raise EngineError(
                f"The token of {name} in {where} is not {_LEAST_LETTERS} or more plain characters without spaces.",
                'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"',
            )
    return users
