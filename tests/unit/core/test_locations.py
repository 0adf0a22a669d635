"""Files where they lie: addresses as paths, secrets that are never shown, what a store may do wrong."""

from __future__ import annotations

import copy
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from leansort.core.errors import MachineError, MissingExtraError, UserError
from leansort.core.folders.image_files import list_image_files
from leansort.core.locations import addresses, remote_store
from leansort.core.locations.location import RemotePath, is_named, is_remote, location
from leansort.core.locations.read_ahead import read_ahead
from leansort.core.locations.redaction import redact
from leansort.core.writing import atomic_io
from tests.support.store_server import StoreServer, serve


@pytest.fixture
def memory() -> Iterator[Path]:
    """An empty folder of fsspec's memory."""
    name = uuid.uuid4().hex
    yield location(f"memory://{name}")
    fsspec.filesystem("memory").rm(f"/{name}", recursive=True)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreServer]:
    """A server of `tmp_path` whose faults are met without long pauses."""
    monkeypatch.setattr(remote_store, "WAIT_S", 0.001)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(name.encode() * 100)
    with serve(tmp_path) as server:
        yield server


def test_a_local_path_is_a_path_and_loads_no_library() -> None:
    code = (
        "import sys, leansort\n"
        "from leansort.core.locations.location import location\n"
        "from leansort.core.writing import atomic_io\n"
        "assert type(location('photos/a.jpg')) is type(location('C:/x')), location('C:/x')\n"
        "atomic_io.read_file(location(sys.argv[1]))\n"
        "print([name for name in ('fsspec', 'aiohttp', 's3fs', 'asyncio') if name in sys.modules])\n"
    )
    told = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_an_address_survives_pathlib() -> None:
    address = location("s3://bucket/photos/a.jpg")
    assert (str(address), address.name, str(address.parent)) == (
        "s3://bucket/photos/a.jpg",
        "a.jpg",
        "s3://bucket/photos",
    )
    assert str(location(Path("s3://bucket/photos/a.jpg"))) == str(address)
    assert str(copy.deepcopy(address)) == str(address)
    assert (address.parent / "b" / "c.png").relative_to(address.parent).as_posix() == "b/c.png"
    assert is_remote(address / "x")
    assert is_named(address)


def test_files_of_this_machine_may_be_addressed() -> None:
    assert location("file:///tmp/a%20b.jpg") == location("file://localhost/tmp/a%20b.jpg") == Path("/tmp/a b.jpg")
    with pytest.raises(UserError, match="file://robot: names another machine"):
        location("file://robot/tmp/a.jpg")


def test_a_local_folder_goes_before_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s3:").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not is_remote(location("s3:/x.jpg"))
    assert is_remote(location("s3://x.jpg"))


def test_secrets_of_an_address_are_never_shown() -> None:
    signed = "https://anna:hush@store.example/a/photo.jpg?X-Amz-Signature=abc&X-Amz-Expires=60"
    shown = location(signed)
    for text in (str(shown), repr(shown), str(shown.parent), f"{shown}", shown.as_posix()):
        assert not [secret for secret in ("hush", "abc", "anna", "?") if secret in text]
    assert shown.suffix == ".jpg"
    assert addresses.full_address(str(shown)) == signed.replace("anna:hush@", "")
    assert addresses.revealed(str(shown)) == signed
    assert addresses.user_of(str(shown)) == ("anna", "hush")


def test_two_queries_are_two_files() -> None:
    first, second = (location(f"https://two.example/photo?id={number}") for number in (1, 2))
    assert (str(first), str(second)) == ("https://two.example/photo", "https://two.example/photo?2")
    assert addresses.full_address(str(second)) == "https://two.example/photo?id=2"
    assert location("https://two.example/photo?id=1") == first


@pytest.mark.parametrize(
    "text",
    [
        "403, url='https://h/a.jpg?X-Amz-Signature=SECRET&b=1'",
        "GET s3://KEY:SECRET@bucket/x failed",
        "aws_secret_access_key=SECRET",
        '{"secret": "SECRET", "a": 1}',
        "Authorization: Bearer SECRET",
        "AWSAccessKeyId=SECRET&x",
        "session_token: 'SECRET'",
    ],
)
def test_secrets_in_what_libraries_say_are_left_out(text: str) -> None:
    assert "SECRET" not in redact(text)
    assert len(redact(text)) > 8


def test_what_is_no_secret_stays() -> None:
    assert redact("bucket photos-2 has no object a.jpg (404)") == "bucket photos-2 has no object a.jpg (404)"


def test_a_store_is_asked_as_a_folder_is(memory: Path) -> None:
    for name in ("b/2.jpg", "a/1.jpg", "a/.hidden.jpg", "a/Thumbs.db", "a/notes.txt", "a/picture"):
        atomic_io.write_bytes(memory / name, b"\x89PNG\r\n\x1a\n" if name == "a/picture" else name.encode())
    listed = list_image_files(memory)
    assert [str(file) for file in listed.files] == [f"{memory}/{name}" for name in ("a/1.jpg", "a/picture", "b/2.jpg")]
    assert listed.counts == {"hidden": 1, "left by a tool": 1, "no picture": 1}
    assert [folder.as_posix() for folder in listed.folders] == ["a", "b"]
    assert (memory / "a").is_dir()
    assert not (memory / "a").is_file()
    assert not (memory / "gone").exists()
    assert (memory / "b/2.jpg").stat().st_size == 7
    assert [path.name for path in (memory / "b").iterdir()] == ["2.jpg"]
    with (memory / "a/notes.txt").open() as file:
        assert file.read() == "a/notes.txt"
    with pytest.raises(UserError, match="mode 'w'"):
        (memory / "x").open("w")


def test_a_file_is_sent_whole_or_not_at_all(memory: Path) -> None:
    atomic_io.write_text(memory / "out.csv", "old")

    def fail() -> None:
        with atomic_io.replace_file(memory / "out.csv") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert atomic_io.read_file(memory / "out.csv") == b"old"
    with pytest.raises(UserError, match="there and no file"):
        atomic_io.write_text(memory, "x")


def test_schemes_without_a_package_are_told_with_the_command() -> None:
    with pytest.raises(UserError, match="needs 'gcsfs', which is not installed; run: pip install gcsfs"):
        location("gs://bucket/a.jpg").read_bytes()
    with pytest.raises(UserError, match=r"abfss:// is no scheme that fsspec knows; did you mean 'abfs'.*pip install"):
        location("abfss://bucket/a.jpg").read_bytes()


def test_a_missing_fsspec_is_told_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'leansort\[cloud\]'"):
        location("memory://elsewhere/a.jpg".replace("elsewhere", uuid.uuid4().hex)).read_bytes()


def test_a_photo_that_is_cut_short_is_told_by_name(store: StoreServer) -> None:
    store.cut.add("a.jpg")
    with pytest.raises(OSError, match=r"is cut short.*http://127.*/a\.jpg"):
        location(f"{store.address}/a.jpg").read_bytes()
    assert store.asked["/a.jpg"] == remote_store.TRIES


def test_a_listing_tells_what_is_cut_short(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atomic_io.write_bytes(memory / "a.jpg", b"12345")
    remote_store.files_below(str(memory))
    fsspec.filesystem("memory").pipe_file(f"/{memory.name}/a.jpg", b"123")
    monkeypatch.setattr(remote_store, "WAIT_S", 0.001)
    with pytest.raises(OSError, match="is cut short: got 3 of 5 bytes"):
        (memory / "a.jpg").read_bytes()


def test_a_busy_store_is_asked_again(store: StoreServer) -> None:
    store.busy["b.jpg"] = 2
    assert location(f"{store.address}/b.jpg").read_bytes() == b"b.jpg" * 100
    store.busy["c.jpg"] = 99
    with pytest.raises(OSError, match="HTTP 503"):
        location(f"{store.address}/c.jpg").read_bytes()


def test_what_is_not_there_is_one_files_fault(store: StoreServer) -> None:
    with pytest.raises(FileNotFoundError):
        location(f"{store.address}/gone.jpg").read_bytes()
    assert store.asked["/gone.jpg"] == 1  # not asked again


def test_refused_access_is_no_photos_fault(store: StoreServer) -> None:
    store.needs = "X-Amz-Signature=right"
    assert location(f"{store.address}/a.jpg?X-Amz-Signature=right").read_bytes()
    with pytest.raises(MachineError, match=r"access was refused.*renew the credentials") as raised:
        location(f"{store.address}/b.jpg?X-Amz-Signature=SECRET").read_bytes()
    assert "SECRET" not in str(raised.value)


def test_a_server_that_is_not_there_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_store, "WAIT_S", 0.001)
    with pytest.raises(MachineError, match=r"http://127\.0\.0\.1:9: cannot be reached"):
        location("http://127.0.0.1:9/a.jpg").read_bytes()


def test_nothing_is_written_to_the_web(store: StoreServer) -> None:
    with pytest.raises(UserError, match="http:// is only read"):
        atomic_io.write_text(location(f"{store.address}/out.csv"), "x")


def test_waits_for_photos_are_not_added_up(store: StoreServer) -> None:
    store.wait_s = 0.05
    names = ["a.jpg", "b.jpg", "c.jpg"] * 4
    paths = [location(f"{store.address}/{name}?copy={number}") for number, name in enumerate(names)]
    got = [atomic_io.read_file(path) for path in read_ahead(paths)]
    assert got == [name.encode() * 100 for name in names]


def test_reading_ahead_is_bounded_and_keeps_the_order(store: StoreServer) -> None:
    mixed = [
        Path("local.jpg"),
        location(f"{store.address}/a.jpg"),
        Path("other.jpg"),
        location(f"{store.address}/b.jpg"),
    ]
    assert list(read_ahead(mixed)) == mixed
    pulled: list[int] = []

    def endless() -> Iterator[Path]:
        number = 0
        while True:
            pulled.append(number)
            yield location(f"{store.address}/a.jpg?n={number}")
            number += 1

    ahead = read_ahead(endless(), 4)
    assert isinstance(next(ahead), RemotePath)
    assert len(pulled) == 5
    ahead.close()  # type: ignore[attr-defined]
