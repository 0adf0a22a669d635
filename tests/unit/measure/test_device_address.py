from __future__ import annotations

from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.measure.device import device_address
from leansort.measure.device.device_address import parse_address, read_token


@pytest.mark.parametrize(
    ("text", "way", "host", "port"),
    [
        ("http://robot:9000", "http", "robot", 9000),
        ("https://robot/", "https", "robot", device_address.PORT),
        ("http://[::1]:80", "http", "::1", 80),
        ("ssh:pi@robot", "ssh", "pi@robot", device_address.PORT),
        ("ssh:robot:9000", "ssh", "robot", 9000),
    ],
)
def test_an_address_is_read(text: str, way: str, host: str, port: int) -> None:
    address = parse_address(text)
    assert (address.way, address.host, address.port) == (way, host, port)


@pytest.mark.parametrize(
    "text",
    ["", "robot", "robot:8791", "ftp://robot", "http://", "http://robot:x", "http://robot:99999", "ssh:",
     "ssh:-oProxy=x", "ssh:a b", "ssh:robot:0", "ssh:robot:x", "http://me:secret@robot", "http://robot/path", "http://robot?token=x"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="device: ") as refused:
        parse_address(text)
    assert "secret" not in str(refused.value)


def test_a_token_is_read_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(device_address.TOKEN, raising=False)
    monkeypatch.delenv(device_address.TOKEN_FILE, raising=False)
    with pytest.raises(UserError, match="no token; set LEANSORT_DEVICE_TOKEN"):
        read_token()
    monkeypatch.setenv(device_address.TOKEN_FILE, str(tmp_path / "token"))
    with pytest.raises(UserError, match="cannot read the token"):
        read_token()
    (tmp_path / "token").write_text(" \n")
    with pytest.raises(UserError, match="holds no token"):
        read_token()
    (tmp_path / "token").write_text("from-a-file\n")
    assert read_token() == "from-a-file"
    monkeypatch.setenv(device_address.TOKEN, "from-the-environment")
    assert read_token() == "from-the-environment"
