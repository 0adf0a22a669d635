"""A web server of a folder on loopback that errs as asked: late, cut short, busy, or with its keys expired."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class StoreServer:
    """What the server is to do, and what it was asked.

    Attributes:
        address: `http://127.0.0.1:PORT`.
        wait_s: seconds before each answer.
        cut: names of files of which half is sent, with the length of the whole.
        busy: how often a file of this name is answered with 503 before it is given.
        refuse_after: number of photos after which every request is answered with 403; None for never.
        needs: query without which a request is refused.
        asked: how often each path was got.
    """

    def __init__(self) -> None:
        self.address = ""
        self.wait_s = 0.0
        self.cut: set[str] = set()
        self.busy: dict[str, int] = {}
        self.refuse_after: int | None = None
        self.needs = ""
        self.asked = Counter[str]()

    def fault(self, path: str, query: str) -> int:
        """Status of the error that a request meets; 0 for none."""
        name = Path(path).name
        photos = sum(count for asked, count in self.asked.items() if asked.endswith((".jpg", ".png")))
        if (self.needs and query != self.needs) or (self.refuse_after is not None and photos > self.refuse_after):
            return 403
        if self.busy.get(name, 0):
            self.busy[name] -= 1
            return 503
        return 0


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, store: StoreServer, directory: str) -> None:
        self.store = store
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        path, store = unquote(split.path), self.store
        store.asked[path] += 1
        time.sleep(store.wait_s)
        if status := store.fault(path, split.query):
            self.send_error(status)
        elif Path(path).name in store.cut:
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[StoreServer]:
    """Serve a folder while the context lasts."""
    store = StoreServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, store=store, directory=str(folder)))
    server.daemon_threads = True
    store.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
