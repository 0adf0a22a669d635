"""Secrets of addresses: user:password@, keys in queries. They are kept in this process's memory, and never shown.

A path is shown in results, logs, manifests and errors, so it holds no secret: what an address has beside its place is
taken off when the path is made, and put back by whoever opens it (`addresses.full_address`).
"""

from __future__ import annotations

import re

HIDDEN = "…"
_USER = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY = re.compile(r"(\bhttps?://[^\s?#'\"<>]*)[?#][^\s'\"<>)]*", re.IGNORECASE)
# What libraries print of requests and settings; the value ends at a blank, a quote or the next parameter.
_VALUE = re.compile(
    r"(?i)\b((?:x-amz-)?(?:signature|credential|security-token)|aws_?(?:secret_?)?access_?key(?:_?id)?|awsaccesskeyid"
    r"|session_?token|access_?token|secret(?:_?key)?|password|passwd|api_?key|sig|token|authorization)"
    r"(['\"]?\s*[=:]\s*['\"]?)(?:bearer\s+|basic\s+)?[^\s&'\",;)}\]]+"
)


def redact(text: str) -> str:
    """Return text with the secrets of addresses left out: user and password, queries, and values named like secrets.

    Args:
        text: what a library says, or an address.
    """
    text = _USER.sub(f"{HIDDEN}@", text)
    text = _QUERY.sub(rf"\1?{HIDDEN}", text)
    return _VALUE.sub(rf"\1\2{HIDDEN}", text)
