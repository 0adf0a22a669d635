"""What a remote path's address has beside its place: secrets, and queries that tell two files apart."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from urllib.parse import unquote

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # of two characters at least: C:/ is a drive
WEB = ("http", "https")  # whose addresses may have a query
_lock = threading.Lock()
_users: dict[str, str] = {}  # user:password by `scheme://host`
_queries: dict[str, str] = {}  # `?…` by shown address
_folders: set[str] = set()  # shown addresses that were given with a slash behind them


@dataclass(frozen=True)
class Address:
    """The parts of an address.

    Attributes:
        scheme: in small letters.
        place: host or bucket, and path.
        user: user:password in front of the host; empty where there is none.
        query: with its question mark; empty where there is none.
    """

    scheme: str
    place: str
    user: str = ""
    query: str = ""

    @classmethod
    def of(cls, text: str) -> Address:
        """Take an address apart; one slash behind the scheme is enough, as `pathlib` leaves no more."""
        scheme, _, rest = text.partition(":/")
        scheme, query = scheme.lower(), ""
        if scheme in WEB:
            rest, mark, tail = rest.partition("?")
            query = mark + tail.partition("#")[0]
        host, slash, inner = rest.lstrip("/").partition("/")
        user, _, host = host.rpartition("@")
        return cls(scheme, f"{host}{slash}{inner}", user, query)

    @property
    def root(self) -> str:
        """Scheme and host or bucket."""
        return f"{self.scheme}://{self.place.partition('/')[0]}"


def register(text: str) -> str:
    """Remember what an address has beside its place, and return the address as it may be shown.

    Two addresses that differ in their queries alone are two files: the second one is shown with `?2`, and so on.
    """
    address = Address.of(text)
    shown = f"{address.scheme}://{address.place}".rstrip("/")
    with _lock:
        if address.user:
            _users[address.root] = address.user
        if address.place.endswith("/"):
            _folders.add(shown)
        if not address.query:
            return shown
        number, name = 1, shown
        while _queries.get(name, address.query) != address.query:
            number += 1
            name = f"{shown}?{number}"
        _queries[name] = address.query
    return name


def full_address(shown: str) -> str:
    """Return the address with its query, by which a file is opened; user and password are given apart."""
    query = _queries.get(shown, "")
    return (shown.partition("?")[0] if query else shown) + query


def user_of(shown: str) -> tuple[str, str] | None:
    """Return user and password of an address's host; None where none were given."""
    user = _users.get(Address.of(shown).root)
    if user is None:
        return None
    name, _, word = user.partition(":")
    return unquote(name), unquote(word)


def is_folder(shown: str) -> bool:
    """Whether the address was given with a slash behind it."""
    return shown in _folders


def revealed(shown: str) -> str:
    """Return the address with all its secrets, for another process of the same run; never to be shown or stored."""
    user, full = _users.get(Address.of(shown).root, ""), full_address(shown)
    return full.replace("://", f"://{user}@", 1) if user else full
