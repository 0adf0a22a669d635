"""A Ray cluster to work on: one that is started here, or one that runs already, with the token that it may ask for.

Ray gives a token to a cluster only where `RAY_AUTH_MODE=token` is set (or found for `auto`), while `ray start --head`
asks for one as soon as it finds one in the home folder, where every cluster that a program starts leaves it. So the
mode is set here where the user has named a token, or where the cluster is on this machine and so has the same one.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from leansort.core.errors import LeansortError, MachineError, MissingExtraError, UserError, not_one_of, one_line
from leansort.core.process.silence import withhold_lines

MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
ADDRESS = "RAY_ADDRESS"  # which `auto` takes first
DEFAULT_TOKEN = Path("~/.ray/auth_token")
GIVEN = "LEANSORT_RAY_HOME_TOKEN_GIVEN"  # set once it was: Ray reads its mode once, and gives it to all from then on
_LOCAL = re.compile(r"local(?::([1-9][0-9]{0,3}))?")
_REMOTE = re.compile(r"(?!local:)\S+:[0-9]{1,5}")
_CHATTER = re.compile(r"^\[[\d:, -]+ [IW] \d+ \d+\] ")  # information and warnings of Ray's native code
_REFUSED = re.compile(r"InvalidAuthToken|AuthenticationError")


def check_address(address: str) -> None:
    """Refuse what can be no address of a cluster, before anything is read or connected.

    Raises:
        UserError: it is none, or one of Ray Client.
    """
    if address.startswith("ray://"):
        raise UserError(
            f"--ray {address}: Ray Data does not run through Ray Client; start the command on a machine of the "
            "cluster, with --ray auto"
        )
    if not (address == "auto" or _LOCAL.fullmatch(address) or _REMOTE.fullmatch(address)):
        raise not_one_of("--ray", address, ("auto", "local", "local:WORKERS", "HOST:PORT"))


@contextmanager
def connect_to_cluster(address: str) -> Iterator[int]:
    """Connect to a cluster, or start one; gives the number of workers.

    Args:
        address: `HOST:PORT` or `auto` of a cluster that runs; `local` starts one here, `local:N` one with N workers.

    Raises:
        UserError: the cluster asks for a token that is missing or wrong, or Ray is not installed.
        MachineError: the cluster cannot be reached.
    """
    local = _LOCAL.fullmatch(address)
    ray = _import_ray("" if local else address)
    with withhold_lines(_CHATTER):
        try:
            workers = _start(ray, int(local[1] or 0)) if local else _join(ray, address)
        except Exception as error:
            raise _failure(address, error) from None
    try:
        yield workers
    finally:
        ray.shutdown()


def _import_ray(address: str) -> ModuleType:
    """Import Ray, which reads these variables once."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters comes as an error
    if address:
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # each takes up to 40 s, and 20 are the default
        if MODE not in os.environ and _token_is_for(address):
            os.environ[MODE] = "token"
            if not _is_named():
                os.environ[GIVEN] = "1"
        elif GIVEN in os.environ and not _is_named() and not _is_here(address):
            raise UserError(
                f"--ray {address}: this process has given {DEFAULT_TOKEN} to a cluster here, and Ray would send it "
                f"there, too; start another process, or set {TOKEN_PATH}"
            )
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError:
        raise MissingExtraError("ray", "ray") from None


def _start(ray: ModuleType, workers: int) -> int:
    workers = workers or len(os.sched_getaffinity(0))
    ray.init(
        address="local", num_cpus=workers + 1, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False
    )
    return workers


def _join(ray: ModuleType, address: str) -> int:
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    return max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)


def _token_is_for(address: str) -> bool:
    """Whether a token that is at hand may be given: one that the user has named, else on this machine alone."""
    return _is_named() or (_is_here(address) and DEFAULT_TOKEN.expanduser().is_file())


def _is_named() -> bool:
    """Whether the user has named a token."""
    return bool(os.environ.get(TOKEN) or os.environ.get(TOKEN_PATH))


def _is_here(address: str) -> bool:
    """Whether a cluster is on this machine: no other machine's address can be bound."""
    if address == "auto":
        address = os.environ.get(ADDRESS, "")
        if not address or address == "auto":
            return True
    try:
        [(family, *_, bound), *_] = socket.getaddrinfo(address.rpartition(":")[0].strip("[]"), 0)
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind(bound)
    except (OSError, UnicodeError):
        return False
    return True


def _failure(address: str, error: BaseException) -> LeansortError:
    """Return what to say of a cluster that cannot be used, by all that led to it."""
    told: list[str] = []
    reason: BaseException | None = error
    while reason is not None:
        told.append(str(reason) + type(reason).__name__)
        reason = reason.__cause__ or reason.__context__
    if not _REFUSED.search(" ".join(told)):
        return MachineError(f"--ray {address}: cannot be reached ({one_line(error) or type(error).__name__})")
    what = f"the token of {_token_source()} is not its" if _gives_token() else "none is given"
    return UserError(
        f"--ray {address}: the cluster asks for a token, and {what}; set {MODE}=token and {TOKEN_PATH}=FILE (else "
        f"it is {DEFAULT_TOKEN}), a file with what `ray get-auth-token` prints on the cluster's head"
    )


def _gives_token() -> bool:
    return os.environ.get(MODE, "").lower() == "token" and _token_source() != ""


def _token_source() -> str:
    """Where Ray takes the token from; empty where there is none."""
    for name in (TOKEN, TOKEN_PATH):
        if os.environ.get(name):
            return name
    return str(DEFAULT_TOKEN) if DEFAULT_TOKEN.expanduser().is_file() else ""
