"""What a server's answer means for a transfer: go on, try again, start anew, or give up."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import InvalidHeader

REDIRECTS = (301, 302, 303, 307, 308)
_GONE = "photo_unavailable"  # Flickr sends here, to an image that says so, for a photo that was taken down


class PermanentFailure(Exception):
    """Repeating is of no use."""


class DownloadStopped(Exception):
    """The caller stopped the work."""


class RestartNeeded(Exception):
    """What an earlier attempt brought is not the start of what the server has."""


class TransientFailure(Exception):
    """This attempt failed, the next one may not."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def fault_of(response: urllib3.BaseHTTPResponse, start: int) -> Exception | None:
    """What is wrong with an answer to a request from byte `start` on; None where it can be read on."""
    status = response.status
    if status == 200 or status in REDIRECTS or (status == 206 and start):
        return None
    if status == 416 and start:
        return RestartNeeded()
    if status in (408, 429) or status >= 500:
        return TransientFailure(f"HTTP {status}", _retry_after(response))
    return PermanentFailure(f"HTTP {status}")


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    given = response.headers.get("Retry-After")
    with suppress(InvalidHeader, ValueError, OverflowError):
        return urllib3.Retry().parse_retry_after(given) if given else None
    return None


def redirect_target(url: str, response: urllib3.BaseHTTPResponse) -> str:
    """The address that an answer sends on to.

    Raises:
        GivenUp: it is no web address, or the sign that a photo was taken down.
    """
    try:
        target = urljoin(url, response.headers.get("Location", ""))
        scheme = urlsplit(target).scheme
    except ValueError:
        raise PermanentFailure("redirected to what is no URL") from None
    if scheme not in ("http", "https"):
        raise PermanentFailure(f"redirected to {target}, which is not http or https")
    if _GONE in target:
        raise PermanentFailure("was taken down")
    return target


def announced_length(response: urllib3.BaseHTTPResponse) -> int | None:
    """Bytes that the answer announces, None where it does not say."""
    text = response.headers.get("Content-Length", "")
    return int(text) if re.fullmatch("[0-9]{1,18}", text) and "Transfer-Encoding" not in response.headers else None


def resumed_size(response: urllib3.BaseHTTPResponse, start: int) -> int | None:
    """Size of the whole file in bytes, None where the server does not say."""
    given = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18}|\*)", response.headers.get("Content-Range", ""))
    if not given or int(given[1]) != start:
        raise RestartNeeded
    return None if given[2] == "*" else int(given[2])
