"""Where an agent is reached, and the token that it asks for. Tokens never lie in recipes, addresses or results."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from leansort.core.errors import UserError

PORT = 8791
TOKEN, TOKEN_FILE, AUTHORITY = "LEANSORT_DEVICE_TOKEN", "LEANSORT_DEVICE_TOKEN_FILE", "LEANSORT_DEVICE_CA"
SHORTEST = 16  # characters of a token
_FORMS = "http://HOST:PORT, https://HOST:PORT or ssh:[USER@]HOST"


@dataclass(frozen=True)
class DeviceAddress:
    """An agent's address.

    Attributes:
        text: as it was given, for people.
        way: `http`, `https`, or `ssh`, whose tunnel ends at an agent on that machine's loopback address.
        host: name or IP address; of `ssh` with the user before it, as ssh takes it.
        port: of the agent.
    """

    text: str
    way: str
    host: str
    port: int


def parse_address(text: str) -> DeviceAddress:
    """Read `http://HOST:PORT`, `https://HOST:PORT` or `ssh:[USER@]HOST[:PORT]`.

    Raises:
        UserError: it is none of these, or holds more than an address.
    """
    if text.startswith("ssh:"):
        return _ssh_address(text)
    try:
        parts = urlsplit(text)
        port = parts.port or PORT
    except ValueError:
        raise _not_an_address(text) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _not_an_address(text)
    if parts.username or parts.password or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise UserError(f"device: the address takes no user, path or query; the token is read from {TOKEN}")
    return DeviceAddress(text, parts.scheme, parts.hostname, port)


def _ssh_address(text: str) -> DeviceAddress:
    host, colon, port = text.removeprefix("ssh:").partition(":")
    number = int(port) if port.isdecimal() and len(port) < 6 else 0
    if not host or host.startswith("-") or any(char.isspace() for char in host) or (colon and not 0 < number < 65536):
        raise _not_an_address(text)
    return DeviceAddress(text, "ssh", host, number or PORT)


def _not_an_address(text: str) -> UserError:
    return UserError(f"device: got {text!r}, need {_FORMS}")


def read_token() -> str:
    """Return the token that the environment holds, or the file that it names.

    Raises:
        UserError: there is none, or the file cannot be read.
    """
    if token := os.environ.get(TOKEN, "").strip():
        return token
    if not (name := os.environ.get(TOKEN_FILE, "")):
        raise UserError(f"device: no token; set {TOKEN}, or {TOKEN_FILE} to the file that the agent names at its start")
    try:
        token = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"device: cannot read the token of {TOKEN_FILE} ({error})") from None
    if not token:
        raise UserError(f"device: the file of {TOKEN_FILE} holds no token")
    return token


def client_context() -> ssl.SSLContext:
    """What an agent's certificate must satisfy: the system's authorities, or those of the file that is named.

    Raises:
        UserError: that file holds no certificate.
    """
    named = os.environ.get(AUTHORITY) or None
    try:
        return ssl.create_default_context(cafile=named)
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"device: {AUTHORITY} names no file of certificates ({error})") from None
