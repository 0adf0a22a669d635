"""Where decisions are sent. What is secret in an address is never part of a message, an error or a `repr`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urlsplit

from leansort.core.errors import UserError, not_one_of

MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
WEB_PORTS = {"http": 80, "https": 443}
MQTT_PASSWORD, WEBHOOK_TOKEN = "LEANSORT_MQTT_PASSWORD", "LEANSORT_WEBHOOK_TOKEN"
_LONGEST_TOPIC = 65_535  # bytes, of MQTT


@dataclass(frozen=True)
class ReceiverAddress:
    """An address.

    Attributes:
        shown: what people may see of it: of a webhook no path, since those are often secret, too.
        secure: whether by TLS.
        host: name or IP address.
        port: of it.
        path: of MQTT the topic, as text; of a webhook path and query, as HTTP takes them.
        user: name; empty for none.
        password: of the user; empty for none.
        token: that a webhook gets as `Authorization: Bearer`; empty for none.
    """

    shown: str
    secure: bool
    host: str
    port: int
    path: str = field(repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def mqtt_address(text: str) -> ReceiverAddress:
    """Read `mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC`, or `mqtts://…` with TLS.

    A user's password may stand in the environment as `LEANSORT_MQTT_PASSWORD` in place of the address.

    Raises:
        UserError: it is none of these, or the topic has wildcards.
    """
    what = "sort: --mqtt"
    parts, port = _parts(text, what, MQTT_PORTS, "mqtt://HOST:PORT/TOPIC or mqtts://…")
    topic = unquote(parts.path[1:])
    if not topic:
        raise UserError(f"{what}: the address names no topic; allowed: mqtt://HOST:PORT/TOPIC")
    if parts.query or parts.fragment or "#" in text or any(char in topic for char in "+#?\0"):
        raise UserError(f"{what}: a topic to send to has none of + # ?")
    if len(topic.encode(errors="surrogatepass")) > _LONGEST_TOPIC or not topic.isprintable():
        raise UserError(f"{what}: a topic has at most {_LONGEST_TOPIC:,} bytes and no control characters")
    user, password = _user(parts)
    password = password or (os.environ.get(MQTT_PASSWORD, "") if user else "")
    if password and not user:
        raise UserError(f"{what}: a password without a user; MQTT takes none")
    shown = f"{parts.scheme}://{_host(parts)}:{port}/{topic}"
    return ReceiverAddress(shown, parts.scheme == "mqtts", parts.hostname or "", port, topic, user, password)


def webhook_address(text: str) -> ReceiverAddress:
    """Read `http://[USER:PASSWORD@]HOST[:PORT]/PATH` or `https://…`; the token is that of `LEANSORT_WEBHOOK_TOKEN`.

    Raises:
        UserError: it is none of these, or has both a user and a token.
    """
    what = "sort: --webhook"
    parts, port = _parts(text, what, WEB_PORTS, "http://HOST:PORT/PATH or https://…")
    token, (user, password) = os.environ.get(WEBHOOK_TOKEN, "").strip(), _user(parts)
    if token and (user or password):
        raise UserError(f"{what}: the address has a user, and {WEBHOOK_TOKEN} a token; one of the two is sent")
    if not (token.isascii() and token.isprintable()):
        raise UserError(f"{what}: the token of {WEBHOOK_TOKEN} is no printable ASCII")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (
        f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    )
    shown = f"{parts.scheme}://{_host(parts)}:{port}"
    return ReceiverAddress(shown, parts.scheme == "https", parts.hostname or "", port, path, user, password, token)


def _parts(text: str, what: str, ports: Mapping[str, int], form: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UserError(f"{what}: this is no address; allowed: {form}") from None
    if "://" not in text:
        raise UserError(f"{what}: this is no address; allowed: {form}")
    if parts.scheme not in ports:
        raise not_one_of(f"{what}: kind of address", parts.scheme, ports)
    if not parts.hostname or any(char.isspace() for char in parts.hostname) or port == 0:
        raise UserError(f"{what}: the address names no host, or port 0; allowed: {form}")
    return parts, port or ports[parts.scheme]


def _user(parts: SplitResult) -> tuple[str, str]:
    return unquote(parts.username or ""), unquote(parts.password or "")


def _host(parts: SplitResult) -> str:
    name = parts.hostname or ""
    return f"[{name}]" if ":" in name else name
