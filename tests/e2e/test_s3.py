"""Photos in a bucket, on a server of S3's protocol on loopback; needs s3fs and moto, which are no part of `dev`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leansort.core.errors import MachineError, UserError
from leansort.core.locations import remote_store
from leansort.core.locations.location import location
from tests.conftest import Cli, draw
from tests.e2e.test_mistakes import refused

MODEL = "trashnet-lean"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of the server, whose bucket `photos` holds four photos."""
    pytest.importorskip("s3fs", reason="needs s3fs: pip install 'leansort[cloud]'")
    moto = pytest.importorskip("moto.server", reason="needs a server: pip install 'moto[s3,server]'")
    boto3 = pytest.importorskip("boto3", reason="needs a server: pip install 'moto[s3,server]'")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "hush",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="photos")
        folder = tmp_path_factory.mktemp("s3")
        for number in range(4):
            draw(folder / f"{number}.jpg", number % 3, seed=number)
            client.put_object(Bucket="photos", Key=f"day/{number}.jpg", Body=(folder / f"{number}.jpg").read_bytes())
        client.put_object(Bucket="photos", Key="day/", Body=b"")  # as consoles mark a folder
        yield client
    server.stop()


def test_a_bucket_is_classified_as_a_folder_is(new_cli: Cli, bucket: Any, tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path / "day" / f"{number}.jpg", number % 3, seed=number)
    far = new_cli("predict", MODEL, "s3://photos/day", "--format", "json", "--out", "s3://photos/out/labels.json")
    near = new_cli("predict", MODEL, tmp_path / "day", "--format", "json")
    assert far.returncode == 0, far.stderr
    told = bucket.get_object(Bucket="photos", Key="out/labels.json")["Body"].read().decode()
    assert told == near.stdout.replace(str(tmp_path), "s3://photos")
    assert all(json.loads(line)["label"] for line in told.splitlines())


def test_a_bucket_that_is_not_there_is_told_in_one_line(new_cli: Cli, bucket: Any) -> None:
    refused(new_cli("predict", MODEL, "s3://nowhere/day"), "nowhere")
    with pytest.raises(UserError, match="no such bucket"):
        location("s3://nowhere/day/0.jpg").read_bytes()


def test_a_server_that_went_away_is_told(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_store, "WAIT_S", 0.001)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(MachineError, match="s3://elsewhere: cannot be reached"):
        location("s3://elsewhere/day/0.jpg").read_bytes()
