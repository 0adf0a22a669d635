"""How a cluster is connected to, and what is said where it cannot be; Ray itself is not needed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from leansort.core.errors import MachineError, UserError
from leansort.workflows.cluster.ray_connection import (
    ADDRESS,
    GIVEN,
    MODE,
    TOKEN,
    TOKEN_PATH,
    check_address,
    connect_to_cluster,
)

ELSEWHERE = "192.0.2.77:6379"  # of the block that belongs to examples


class FakeRay:
    """Ray, as far as a connection needs it."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.given: list[dict[str, object]] = []

    def init(self, **given: object) -> None:
        self.given.append(given)
        if self.failure:
            try:
                raise RuntimeError(str(self.failure))
            except RuntimeError as error:
                raise ConnectionError("Failed to connect to Ray cluster") from error

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 5.0}

    def shutdown(self) -> None:
        self.given.append({})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (MODE, TOKEN, TOKEN_PATH, GIVEN, ADDRESS):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)  # and so what a connection sets is taken back, too
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def ray_that(monkeypatch: pytest.MonkeyPatch, failure: str = "") -> FakeRay:
    made = FakeRay(RuntimeError(failure) if failure else None)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(**{n: getattr(made, n) for n in dir(made) if n[0] != "_"}))
    return made


def token_in(home: Path) -> None:
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("secret")


def test_workers_are_the_cores_of_the_cluster_but_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = ray_that(monkeypatch)
    with connect_to_cluster(ELSEWHERE) as workers:
        assert workers == 4
    assert ray.given[0]["address"] == ELSEWHERE
    with connect_to_cluster("local:3") as workers:
        assert workers == 3
    assert (ray.given[2]["address"], ray.given[2]["num_cpus"]) == ("local", 4)


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:6379", "localhost:6379", "[::1]:6379"])
def test_the_token_of_the_home_folder_goes_to_this_machine(
    home: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    ray_that(monkeypatch)
    with connect_to_cluster(address):
        assert MODE not in os.environ  # there is no token
    token_in(home)
    with connect_to_cluster(address):
        assert os.environ[MODE] == "token"


@pytest.mark.parametrize("name", [TOKEN, TOKEN_PATH])
def test_a_token_goes_to_another_machine_only_where_it_was_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ray_that(monkeypatch)
    token_in(home)
    with connect_to_cluster(ELSEWHERE):
        assert MODE not in os.environ
    monkeypatch.setenv(name, "named")
    with connect_to_cluster(ELSEWHERE):
        assert os.environ[MODE] == "token"


def test_what_the_user_says_of_tokens_stands(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that(monkeypatch)
    token_in(home)
    monkeypatch.setenv(MODE, "disabled")
    with connect_to_cluster("auto"):
        assert os.environ[MODE] == "disabled"


def test_a_missing_and_a_wrong_token_are_told_apart(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that(monkeypatch, "RPC error: InvalidAuthToken: Authentication token is missing or incorrect")
    with pytest.raises(UserError, match=f"asks for a token, and none is given; set {MODE}=token and {TOKEN_PATH}=FILE"):
        connect_to_cluster(ELSEWHERE).__enter__()
    monkeypatch.setenv(TOKEN, "wrong")
    with pytest.raises(UserError, match=f"the token of {TOKEN} is not its"):
        connect_to_cluster(ELSEWHERE).__enter__()
    monkeypatch.delenv(TOKEN)
    token_in(home)
    with pytest.raises(UserError, match=r"the token of ~/.ray/auth_token is not its"):
        connect_to_cluster("auto").__enter__()


def test_a_cluster_that_is_not_there_is_the_machines_fault(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that(monkeypatch, "Timed out")
    with pytest.raises(MachineError, match=r"--ray auto: cannot be reached \(Failed to connect to Ray cluster\)"):
        connect_to_cluster("auto").__enter__()


def test_ray_client_is_refused_before_anything_is_connected() -> None:
    with pytest.raises(UserError, match="does not run through Ray Client"):
        check_address("ray://10.0.0.1:10001")


@pytest.mark.parametrize("address", ["lokal", "local:0", "local:two", "head", "", "10.0.0.1:", "10.0.0.1:6379/x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UserError, match=r"--ray: got .*, allowed: HOST:PORT, auto, local, local:WORKERS"):
        check_address(address)


@pytest.mark.parametrize("address", ["auto", "local", "local:16", "10.0.0.1:6379", "head.farm:6379", "[::1]:6379"])
def test_addresses_of_clusters_are_taken(address: str) -> None:
    check_address(address)


def test_a_process_that_gave_the_home_folders_token_connects_to_no_other_machine(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray_that(monkeypatch)
    token_in(home)
    with connect_to_cluster("auto"):
        pass
    with pytest.raises(UserError, match="Ray would send it there, too"), connect_to_cluster(ELSEWHERE):
        pass
    monkeypatch.setenv(TOKEN, "another")
    with connect_to_cluster(ELSEWHERE) as workers:
        assert workers == 4


def test_auto_is_where_ray_address_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray_that(monkeypatch)
    token_in(home)
    monkeypatch.setenv(ADDRESS, ELSEWHERE)
    with connect_to_cluster("auto"):
        assert MODE not in os.environ
