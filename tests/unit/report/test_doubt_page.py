"""The page of doubtful labels: its one script is the one that its policy allows, and names stay text."""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape
from urllib.parse import unquote

import numpy as np

from leansort.report.review.doubt_page import DoubtPage, DoubtTile, render


def page(file: str = "train/glass/a.jpg", label: str = "glass") -> str:
    tiles = [DoubtTile(np.zeros((8, 8, 3), np.uint8), file, label, "plastic", "rank 1")]
    return render(DoubtPage("Doubtful labels", "Look.", (label, "plastic"), tiles, "drop", "0123"))


def test_the_policy_allows_the_script_and_nothing_else() -> None:
    text = page()
    [script] = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert f"script-src 'sha256-{digest}'" in unescape(policy)
    assert policy.startswith("default-src &#39;none&#39;") or policy.startswith("default-src 'none'")
    assert "unsafe-inline" not in unescape(policy).partition("script-src")[2]
    assert not re.search(r"innerHTML|https?://", script)


def test_hostile_names_stay_text_and_come_back_as_cells() -> None:
    file, label = 'a"><script>alert(1)</script>,b.jpg', "=1+1"
    text = page(file, label)
    assert text.count("<script>") == 1
    assert "alert(1)</script>," not in text
    [cell] = re.findall(r'data-file="([^"]*)"', text)
    assert unquote(unescape(cell)) == '"a""><script>alert(1)</script>,b.jpg"'
    [was] = re.findall(r'data-was="([^"]*)"', text)
    assert unquote(unescape(was)) == "'=1+1"  # no spreadsheet takes it for a formula, and an import reads it back


def test_each_photo_can_be_any_class_or_dropped() -> None:
    options = re.findall(r'<option value="([^"]*)">', page())
    assert options == ["", "glass", "plastic", "drop"]
