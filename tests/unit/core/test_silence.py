"""Lines of native code that are kept from standard error, and those that are not."""

from __future__ import annotations

import os
import re

import pytest

from leansort.core.process.silence import withhold_lines


def test_chatter_of_native_code_is_withheld_and_other_lines_are_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with withhold_lines(re.compile(r"^\[.* I ")):
            os.write(2, b"[12:00 I 7] hello\nsomething broke\n")
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "something broke\nafter\n"
