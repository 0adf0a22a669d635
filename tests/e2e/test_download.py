"""Photos fetched from a real server that does all that servers do: stall, drip, lie, redirect, come back."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest

from leansort.core.errors import LeansortError, MissingExtraError, UserError
from leansort.data.download import fetcher
from leansort.data.download.photo_downloads import DownloadResult, PhotoRequest, download, list_photos
from tests.conftest import listening

Answer = Callable[["Handler"], None]
Headers = dict[str, str | int]
WIDTH, HEIGHT = 200, 150


def photo(width: int = WIDTH, height: int = HEIGHT, seed: int = 0, suffix: str = ".jpg") -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.imencode(suffix, noise)[1].tobytes()


PHOTO = photo()
PAGE = b"<html>please log in</html>"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        answers = self.server.answers.get(self.path, [status(404)])
        with self.server.lock:
            times = self.server.asked[self.path]
            self.server.asked[self.path] += 1
            self.server.ranges.append(self.headers.get("Range", ""))
        try:
            answers[min(times, len(answers) - 1)](self)
        except OSError:  # the client went away, which is what some tests wait for
            self.close_connection = True

    def reply(self, code: int, body: bytes = b"", headers: Headers | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": len(body), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Gives the answers listed for a path one after another, the last one for ever; counts what was asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.answers: dict[str, list[Answer]] = {}
        self.asked: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.closing = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def give(self, name: str, *answers: Answer, exact: bool = True) -> PhotoRequest:
        """Answer for a photo, and return what asks for it."""
        self.answers[f"/{name}"] = list(answers)
        return PhotoRequest(name, (self.url(f"/{name}"),), WIDTH, HEIGHT, exact)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.closing.set()
        running.shutdown()


def sends(body: bytes) -> Answer:
    return lambda handler: handler.reply(200, body)


def status(code: int, **headers: str | int) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.reply(code, b"", named)


def hangs_up(body: bytes, length: int) -> Answer:
    """Claim `length` bytes, send `body`, close."""

    def answer(handler: Handler) -> None:
        handler.close_connection = True
        handler.reply(200, body, {"Content-Length": length})

    return answer


def continues(body: bytes, *, lie: int = 0) -> Answer:
    """Honour Range; `lie` moves the start that Content-Range claims."""

    def answer(handler: Handler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        claim = f"bytes {start + lie}-{len(body) - 1}/{len(body)}"
        if start >= len(body):
            handler.reply(416, headers={"Content-Range": f"bytes */{len(body)}"})
        elif start:
            handler.reply(206, body[start:], {"Content-Range": claim})
        else:
            handler.reply(200, body)

    return answer


def stalls(handler: Handler) -> None:
    handler.server.closing.wait(30)


def stalls_after(count: int) -> Answer:
    def answer(handler: Handler) -> None:
        handler.reply(200, PHOTO[:count], {"Content-Length": len(PHOTO)})
        stalls(handler)

    return answer


def drips(text: bytes) -> Answer:
    """Send a byte now and then: never silent, never done."""

    def answer(handler: Handler) -> None:
        handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in text:
            handler.wfile.write(bytes([byte]))
            if handler.server.closing.wait(0.03):
                return

    return answer


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")


def fetch(photos: list[PhotoRequest], out: Path, **settings: Any) -> DownloadResult:
    return download(photos, out, **{"jobs": 4, "retries": 2, "timeout_s": 5.0, "backoff_s": 0.01, **settings})


def parts(out: Path) -> list[Path]:
    return sorted(out.rglob("*.part"))


def leave_part(out: Path, photo_request: PhotoRequest, data: bytes) -> None:
    part = fetcher.partial_path(out / photo_request.name, photo_request.urls[0])
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(data)


def test_all_good_and_a_second_call_fetches_nothing(server: Server, tmp_path: Path) -> None:
    photos = [server.give(f"batch_{n % 3}/{n:06}.jpg", sends(photo(seed=n))) for n in range(12)]
    steps: list[tuple[int, int]] = []
    assert fetch(photos, tmp_path, progress=lambda done, total: steps.append((done, total))) == DownloadResult(
        done=12, already=0, failed=()
    )
    assert steps == [(n, 12) for n in range(1, 13)]
    for n, item in enumerate(photos):
        assert (tmp_path / item.name).read_bytes() == photo(seed=n)
    before = server.asked.total()
    assert fetch(photos, tmp_path) == DownloadResult(done=0, already=12, failed=())
    assert server.asked.total() == before == 12
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [f"{n:06}.jpg" for n in range(12)]


def test_only_broken_and_wrong_photos_are_fetched_again(server: Server, tmp_path: Path) -> None:
    photos = [server.give(f"{n}.jpg", sends(PHOTO)) for n in range(3)]
    fetch(photos, tmp_path)
    (tmp_path / "0.jpg").write_bytes(PHOTO[:-1000])
    (tmp_path / "1.jpg").write_bytes(photo(64, 48))
    assert fetch(photos, tmp_path) == DownloadResult(done=2, already=1, failed=())
    assert {(tmp_path / f"{n}.jpg").read_bytes() for n in range(3)} == {PHOTO}


def test_a_missing_photo_is_named_and_the_rest_arrives(server: Server, tmp_path: Path) -> None:
    photos = [server.give(f"{n}.jpg", status(code) if code else sends(PHOTO)) for n, code in enumerate((404, 0, 410))]
    got = fetch(photos, tmp_path)
    assert (got.done, got.already) == (1, 0)
    lines = [f"{n}.jpg: HTTP {code} ({server.url(f'/{n}.jpg')})" for n, code in ((0, 404), (2, 410))]
    assert list(got.failed) == lines
    assert server.asked == {"/0.jpg": 1, "/1.jpg": 1, "/2.jpg": 1}
    assert not parts(tmp_path)


def test_the_next_url_is_tried(server: Server, tmp_path: Path) -> None:
    server.give("b.jpg", sends(PHOTO))
    both = PhotoRequest("a.jpg", (server.url("/gone.jpg"), server.url("/b.jpg")), WIDTH, HEIGHT)
    assert fetch([both], tmp_path) == DownloadResult(done=1, already=0, failed=())


@pytest.mark.parametrize(
    "trouble",
    [
        [status(503), status(500)],
        [status(429, Retry_After=0)],
        [hangs_up(PHOTO[:9000], len(PHOTO)), hangs_up(b"", len(PHOTO))],
        [sends(PHOTO[:9000])],
        [sends(PAGE)],
        [sends(b"")],
    ],
    ids=["5xx", "429", "hung up", "short length", "page", "nothing"],
)
def test_passing_trouble_is_waited_out(trouble: list[Answer], server: Server, tmp_path: Path) -> None:
    item = server.give("a.jpg", *trouble, sends(PHOTO))
    assert fetch([item], tmp_path) == DownloadResult(done=1, already=0, failed=())
    assert (tmp_path / "a.jpg").read_bytes() == PHOTO
    assert server.asked["/a.jpg"] == len(trouble) + 1
    assert not parts(tmp_path)


def test_retry_after_goes_before_the_back_off(server: Server, tmp_path: Path) -> None:
    soon, later = (server.give(f"{s}.jpg", status(429, Retry_After=s), sends(PHOTO)) for s in (0, 1))
    start = time.monotonic()
    assert fetch([soon], tmp_path, backoff_s=60).done == 1
    assert time.monotonic() - start < 1
    assert fetch([later], tmp_path, backoff_s=0).done == 1
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize(
    ("answer", "reason", "attempts"),
    [
        (status(503), "HTTP 503", 3),
        (status(403), "HTTP 403", 1),
        (hangs_up(PHOTO, len(PHOTO) + 5), f"cut short, {len(PHOTO)} of {len(PHOTO) + 5} bytes", 3),
        (sends(PHOTO[:9000]), "is cut short", 3),
        (sends(photo(suffix=".png")[:-500]), "is not a picture that can be decoded", 3),
        (sends(PAGE), "is no picture but an HTML page", 3),
        (sends(photo(WIDTH, HEIGHT + 1)), "is 200 x 151 px, its record says 200 x 150", 1),
        (hangs_up(b"", 200_000_000), "is 200000000 bytes, the limit is 100000000", 1),
        (status(302, Location="file:///etc/passwd"), "redirected to file:///etc/passwd, which is not http", 1),
        (status(302, Location="/a.jpg"), "more than 5 redirects", 6),
        (status(302, Location="https://127.0.0.1/photo_unavailable_z.png"), "was taken down", 1),
    ],
)
def test_lasting_trouble_is_named(answer: Answer, reason: str, attempts: int, server: Server, tmp_path: Path) -> None:
    got = fetch([server.give("a.jpg", answer)], tmp_path)
    assert (got.done, got.already, len(got.failed)) == (0, 0, 1)
    assert reason in got.failed[0]
    assert server.asked["/a.jpg"] == attempts
    assert not (tmp_path / "a.jpg").exists()


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/a.jpg"
        got = fetch([PhotoRequest("a.jpg", (url,), None, None)], tmp_path)
    assert "refused" in got.failed[0]
    assert "3 attempts" in got.failed[0]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (stalls, "nothing came for 0.2 s"),
        (stalls_after(9000), "nothing came for 0.2 s"),
        (drips(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + bytes(400)), "not finished after 2 s"),
        (drips(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400), "not finished after 2 s"),
    ],
    ids=["stall", "stall in the body", "drip", "drip in the head"],
)
def test_slow_servers_are_given_up(answer: Answer, reason: str, server: Server, tmp_path: Path) -> None:
    start = time.monotonic()
    got = fetch([server.give("a.jpg", answer)], tmp_path, timeout_s=0.2, retries=0)
    assert reason in got.failed[0]
    assert time.monotonic() - start < 4


def test_an_endless_body_is_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "MAX_BYTES", 1_000_000)
    got = fetch([server.give("a.jpg", endless)], tmp_path)
    assert "is over the limit of 1000000 bytes" in got.failed[0]
    assert server.asked["/a.jpg"] == 1
    assert not parts(tmp_path)


def test_a_broken_transfer_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    item = server.give("a.jpg", hangs_up(PHOTO[:9000], len(PHOTO)), continues(PHOTO))
    assert fetch([item], tmp_path, retries=0).done == 0
    assert [part.read_bytes() for part in parts(tmp_path)] == [PHOTO[:9000]]
    assert not (tmp_path / "a.jpg").exists()
    assert fetch([item], tmp_path, retries=0) == DownloadResult(done=1, already=0, failed=())
    assert (tmp_path / "a.jpg").read_bytes() == PHOTO
    assert server.ranges == ["", f"bytes={9000 - fetcher.OVERLAP}-"]
    assert not parts(tmp_path)


@pytest.mark.parametrize(
    ("kept", "answer"),
    [
        (PHOTO[:9000], continues(PHOTO)),
        (PHOTO, continues(PHOTO)),
        (PHOTO[:9000], sends(PHOTO)),
        (PHOTO[:9000], continues(PHOTO, lie=1)),
        (photo(seed=1)[:9000], continues(PHOTO)),
        (PHOTO[:9000] + bytes(300), continues(PHOTO)),
        (PHOTO + bytes(50_000), continues(PHOTO)),
        (PHOTO[:10], continues(PHOTO)),
    ],
    ids=["half", "whole", "no ranges", "other range", "other photo", "lost blocks", "too much", "a few bytes"],
)
def test_whatever_is_kept_the_photo_comes_out_right(
    kept: bytes, answer: Answer, server: Server, tmp_path: Path
) -> None:
    item = server.give("b/a.jpg", answer)
    leave_part(tmp_path, item, kept)
    assert fetch([item], tmp_path, retries=0) == DownloadResult(done=1, already=0, failed=())
    assert (tmp_path / "b" / "a.jpg").read_bytes() == PHOTO
    assert not parts(tmp_path)


def test_redirects_are_followed(server: Server, tmp_path: Path) -> None:
    server.give("there.jpg", sends(PHOTO))
    item = server.give("a.jpg", status(302, Location="/b.jpg"))
    server.give("b.jpg", status(308, Location=server.url("/there.jpg")))
    assert fetch([item], tmp_path) == DownloadResult(done=1, already=0, failed=())


@pytest.mark.parametrize(
    ("size", "exact", "good"),
    [
        ((WIDTH, HEIGHT), True, True),
        ((HEIGHT, WIDTH), True, True),
        ((WIDTH // 2, HEIGHT // 2), True, False),
        ((WIDTH // 2, HEIGHT // 2), False, True),
        ((HEIGHT // 2, WIDTH // 2), False, True),
        ((WIDTH // 2 + 1, HEIGHT // 2), False, True),
        ((WIDTH // 2 + 5, HEIGHT // 2), False, False),
    ],
)
def test_size_against_the_record(
    size: tuple[int, int], exact: bool, good: bool, server: Server, tmp_path: Path
) -> None:
    item = server.give("a.jpg", sends(photo(*size)), exact=exact)
    assert fetch([item], tmp_path).done == good


def test_failures_keep_the_order_asked_for(server: Server, tmp_path: Path) -> None:
    photos = [server.give(f"{n}.jpg", status(404 if n % 2 else 503)) for n in range(8)]
    got = fetch(photos, tmp_path, retries=1)
    assert [line.split(":")[0] for line in got.failed] == [item.name for item in photos]


NAMES = ["/etc/a.jpg", "../a.jpg", "b/../../a.jpg", "C:\\a.jpg", "c:a.jpg", "..\\a.jpg", "\\\\host\\a.jpg"]


@pytest.mark.parametrize("name", [*NAMES, "a\0.jpg", "a\n.jpg", "a\ud800.jpg", "", "."])
def test_bad_names_are_refused_before_anything_is_fetched(name: str, server: Server, tmp_path: Path) -> None:
    good = server.give("good.jpg", sends(PHOTO))
    with pytest.raises(UserError, match="file name"):
        fetch([good, PhotoRequest(name, good.urls, None, None)], tmp_path / "out")
    assert not server.asked
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/a.jpg", "a.jpg", "http://", "http://[1/a.jpg"])
def test_other_urls_are_refused_by_name(url: str, server: Server, tmp_path: Path) -> None:
    good = server.give("good.jpg", sends(PHOTO))
    with pytest.raises(UserError, match=r"bad\.jpg") as caught:
        fetch([good, PhotoRequest("bad.jpg", (url,), None, None)], tmp_path)
    assert url in str(caught.value)
    assert not server.asked


def test_one_name_twice_is_refused(server: Server, tmp_path: Path) -> None:
    item = server.give("b/a.jpg", sends(PHOTO))
    with pytest.raises(UserError, match=r"b/a\.jpg"):
        fetch([item, PhotoRequest("b//./a.jpg", item.urls, None, None)], tmp_path)
    assert not server.asked


@pytest.mark.parametrize("setting", [{"jobs": 0}, {"retries": -1}, {"timeout_s": 0.0}, {"backoff_s": float("nan")}])
def test_settings_out_of_range_are_refused(setting: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=next(iter(setting))):
        fetch([], tmp_path, **setting)


def test_a_full_disk_is_one_error(server: Server, tmp_path: Path) -> None:
    item = server.give("a.jpg", sends(PHOTO))
    fetcher.partial_path(tmp_path / "a.jpg", item.urls[0]).symlink_to("/dev/full")
    with pytest.raises(LeansortError, match="No space left"):
        fetch([item, *(server.give(f"{n}.jpg", stalls) for n in range(3))], tmp_path)


def test_ctrl_c_ends_at_once_and_leaves_no_half_photo(server: Server, tmp_path: Path) -> None:
    urls = [server.give("a.jpg", stalls_after(9000)).urls[0], server.give("b.jpg", stalls).urls[0]]
    code = (
        "import sys; from pathlib import Path\n"
        "from leansort.data.download.photo_downloads import PhotoRequest, download\n"
        "download([PhotoRequest(u[-5:], (u,), None, None) for u in sys.argv[2:]], Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path), *urls]
    with subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=listening) as process:
        end = time.monotonic() + 10
        while (server.asked.total() < 2 or not parts(tmp_path)) and time.monotonic() < end:
            time.sleep(0.02)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"KeyboardInterrupt" in process.stderr.read()
    assert time.monotonic() - start < 2
    assert [part.name[:6] for part in tmp_path.iterdir()] == ["a.jpg."]


def test_without_urllib3_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "urllib3", None)
    monkeypatch.delitem(sys.modules, "leansort.data.download.fetcher")
    with pytest.raises(MissingExtraError, match=r"leansort\[train\]"):
        fetch([], tmp_path)


def write(path: Path, *images: Any) -> Path:
    path.write_text(json.dumps({"images": list(images), "annotations": [], "categories": []}))
    return path


RECORD = {"id": 0, "file_name": "batch_1/a.jpg", "width": 4, "height": 3, "flickr_url": "https://f/o.png"}


@pytest.mark.parametrize(
    ("more", "size", "urls"),
    [
        ({"flickr_640_url": "https://f/z.jpg", "coco_url": None}, "original", ("https://f/o.png",)),
        ({"flickr_640_url": "https://f/z.jpg", "coco_url": None}, "640", ("https://f/z.jpg",)),
        ({"flickr_640_url": None, "coco_url": "http://c/a.jpg"}, "640", ("http://c/a.jpg",)),
        ({"flickr_url": None, "coco_url": "http://c/a.jpg"}, "original", ("http://c/a.jpg",)),
        ({"coco_url": "http://c/a.jpg"}, "original", ("https://f/o.png", "http://c/a.jpg")),
        ({"flickr_640_url": None, "coco_url": None}, "640", ("https://f/o.png",)),
    ],
)
def test_the_urls_of_a_record(
    more: dict[str, Any], size: Literal["original", "640"], urls: tuple[str, ...], tmp_path: Path
) -> None:
    path = write(tmp_path / "annotations.json", {**RECORD, **more})
    assert list_photos(path, size) == [PhotoRequest("batch_1/a.jpg", urls, 4, 3, exact=size == "original")]


@pytest.mark.parametrize(
    ("images", "text"),
    [
        ([RECORD, {**RECORD, "id": 1}], "twice"),
        ([{**RECORD, "flickr_url": "file:///etc/passwd"}], "file:///etc/passwd"),
        ([{**RECORD, "file_name": "../a.jpg"}], "leaves the folder"),
        ([{**RECORD, "width": "4"}], "whole pixels"),
        ([{**RECORD, "flickr_url": 7}], "URLs are texts"),
        ([{**RECORD, "flickr_url": None}], "no flickr_url or coco_url"),
        ([7], "lacks file_name"),
    ],
)
def test_unusable_annotations_are_refused(images: list[Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=text):
        list_photos(write(tmp_path / "annotations.json", *images))


def test_the_photos_of_taco_all_have_a_url(taco: Path) -> None:
    for size in ("original", "640"):
        listed = list_photos(taco / "annotations.json", size)
        assert len(listed) == 1500
        assert all(len(item.urls) == 1 for item in listed)
