"""Packs: read by their hash alone, once, under our own names; whatever is wrong with one is one line."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from leansort.arch import trained_model
from leansort.arch.build import build
from leansort.arch.pretrained import key_map, pack_cache, pack_conversion, weight_loader, weight_pack
from leansort.arch.pretrained.pack_listing import pack_states, packs_table
from leansort.arch.pretrained.weight_origin import content_digest, packs_behind
from leansort.arch.spec.spec import ArchSpec
from leansort.core import plugins
from leansort.core.errors import IntegrityError, UserError
from leansort.core.preprocess import Preprocess
from leansort.core.writing import atomic_io
from tests.support import weight_packs
from tests.support.distributions import install

SMALL = "pack:small"
State = dict[str, Tensor]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin folder, and a cache of its own."""
    plugins.forget()
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path / "plugins"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "plugins"


def same(a: State, b: State) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def cached() -> Path:
    return pack_cache.cached_file(weight_pack.find_pack(SMALL))


def test_every_tensor_is_named_as_the_backbone_names_it(folder: Path) -> None:
    weight_packs.write_pack(folder)
    read = weight_loader.read_weights(SMALL)
    assert same(read, weight_packs.own_state())
    build(ArchSpec(base="small_rows", classes=weight_packs.CLASSES)).load_state_dict(read, strict=True)


def test_safetensors_and_files_without_counters_are_packs_too(folder: Path) -> None:
    theirs = {name: tensor for name, tensor in weight_packs.their_state().items() if "tracked" not in name}
    (folder / "packs").mkdir(parents=True)
    other = folder / "packs" / "small.safetensors"
    trained_model.save_tensors(other, theirs, {})
    weight_packs.write_pack(folder, file=other.name, sha256=atomic_io.sha256(other.read_bytes()))
    assert same(weight_loader.read_weights(SMALL), weight_packs.own_state())


def test_it_is_read_once_and_the_cache_serves_without_the_file(folder: Path) -> None:
    weights = weight_packs.write_pack(folder)
    first = weight_loader.read_weights(SMALL)
    weights.unlink()
    assert same(weight_loader.read_weights(SMALL), first)
    assert [path.name for path in cached().parent.iterdir() if path.suffix != ".lock"] == [cached().name]


@pytest.mark.parametrize("hurt", [lambda data: data[: len(data) // 2], lambda data: data[:-1] + b"\x99", lambda _: b""])
def test_a_damaged_cache_is_made_anew(folder: Path, hurt: Callable[[bytes], bytes]) -> None:
    weight_packs.write_pack(folder)
    first = weight_loader.read_weights(SMALL)
    whole = cached().read_bytes()
    cached().write_bytes(hurt(whole))
    assert pack_cache.read_cached(cached()) is None
    assert same(weight_loader.read_weights(SMALL), first)
    assert cached().read_bytes() == whole


def test_another_map_or_file_is_another_cache(folder: Path) -> None:
    weight_packs.write_pack(folder)
    weight_loader.read_weights(SMALL)
    before = cached()
    changed = weight_packs.their_state() | {"head.bias": torch.full((weight_packs.CLASSES,), 7.0)}
    weight_packs.write_pack(folder, changed)
    assert cached() != before
    assert weight_loader.read_weights(SMALL)["4.bias"][0] == 7.0


def test_without_a_place_for_the_cache_the_file_is_read_each_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weight_packs.write_pack(folder)
    blocked = folder / "blocked"
    blocked.write_text("a file, no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert same(weight_loader.read_weights(SMALL), weight_packs.own_state())
    assert "pack:small is not kept (cannot write" in capsys.readouterr().err


def test_two_processes_make_one_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weight_packs.write_pack(folder)
    begun = multiprocessing.get_context("fork")
    made, ready = begun.Value("i", 0), begun.Barrier(2)
    convert = pack_conversion.convert_pack

    def counted(pack: weight_pack.WeightPack) -> State:
        with made.get_lock():
            made.value += 1
        return convert(pack)

    def read() -> None:
        ready.wait()
        weight_loader.read_weights(SMALL)

    monkeypatch.setattr(pack_cache, "convert_pack", counted)
    processes = [begun.Process(target=read) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert made.value == 1
    assert same(weight_loader.read_weights(SMALL), weight_packs.own_state())
    assert not list(cached().parent.glob("*.part"))


class Runs:
    """Pickled, it makes a file when it is opened carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_changed_bytes_are_refused_unread_and_both_hashes_named(folder: Path, tmp_path: Path) -> None:
    weights = weight_packs.write_pack(folder)
    need = atomic_io.sha256(weights.read_bytes())
    weights.write_bytes(pickle.dumps({"stem": Runs(tmp_path / "ran")}))
    got = atomic_io.sha256(weights.read_bytes())
    with pytest.raises(IntegrityError, match=f"small.pth has sha256 {got}, need {need}; it was changed"):
        weight_loader.read_weights(SMALL)
    assert not (tmp_path / "ran").exists()
    assert not cached().exists()


def test_even_with_the_right_hash_no_code_runs(folder: Path, tmp_path: Path) -> None:
    weight_packs.write_pack(folder, {"stem": Runs(tmp_path / "ran")})  # type: ignore[dict-item]
    with pytest.raises(UserError, match=r"pack:small holds other objects than tensors .*nothing of it was run"):
        weight_loader.read_weights(SMALL)
    assert not (tmp_path / "ran").exists()


def without(name: str) -> State:
    return {key: tensor for key, tensor in weight_packs.their_state().items() if key != name}


def changed_map(theirs: str, own: str) -> dict[str, Any]:
    return {"key_map": {**weight_packs.KEY_MAP, theirs: own}}


STEM = "stem.conv.weight"
FAULTS: list[tuple[State, dict[str, Any], str]] = [
    ({}, {"file": "none.pth"}, "cannot be read .*put the right file there; it comes from https://example.org"),
    (
        {},
        {"distribution": "no-such-thing"},
        r"not installed \(\d+\.\d MB, CC-BY-4.0\); run: pip install no-such-thing$",
    ),
    ({}, {"file": "../small.pth"}, "file: got '../small.pth', .*need a relative path"),
    ({}, {"sha256": "12"}, "pack 'small' of .*sha256: got '12'"),
    ({}, {"licens": "MIT"}, "licens: unknown key; did you mean 'licence'"),
    ({}, {"backbone": "small_row"}, "got 'small_row', .*did you mean 'small_rows'"),
    ({}, changed_map("blocks.{n}.x", "{n+1}.body"), "the weights have nothing called 'blocks.{n}.x'"),
    ({}, changed_map("stem.norm", "0.7"), "this network has nothing called '0.7'"),
    ({}, changed_map("stem.norm", "1.body.0.1"), "both become '1.body.0.1.weight'"),
    ({}, {"key_map": {"head": "4"}}, r"\d+ tensors become nothing of small_rows: 'stem.conv.weight' is the first"),
    (without("head.bias"), {}, "nothing becomes '4.bias' of small_rows"),
    ({"head.extra": torch.ones(1)}, {}, "1 tensors become nothing of small_rows: 'head.extra' is the first"),
    ({STEM: torch.ones(8, 1, 3, 3)}, {}, "stem.conv.weight takes 1 input channels, 0.0.weight of small_rows takes 3"),
    ({"head.bias": torch.ones(6)}, {}, r"head.bias has shape \(6,\), 4.bias of small_rows has \(5,\)"),
    ({"head.bias": torch.full((5,), torch.nan)}, {}, "head.bias holds values that are not finite"),
]


@pytest.mark.parametrize(("state", "changes", "message"), FAULTS)
def test_what_is_wrong_is_one_line(folder: Path, state: State, changes: dict[str, Any], message: str) -> None:
    whole = state if "stem.norm.weight" in state else weight_packs.their_state() | state
    weight_packs.write_pack(folder, whole, **changes)
    with pytest.raises(UserError, match=message) as caught:
        weight_loader.read_weights(SMALL)
    assert "\n" not in str(caught.value)


def test_an_unknown_pack_names_the_close_one(folder: Path) -> None:
    with pytest.raises(UserError, match=r"pack: got 'efficientnet_lit0', .*did you mean 'efficientnet_lite0'"):
        weight_loader.read_weights("pack:efficientnet_lit0")


def test_a_distribution_brings_a_pack_by_entry_point(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = weight_packs.write_pack(folder)
    facts = yaml.safe_load((folder / "packs" / "small.yaml").read_text()) | {"file": "their_weights/small.pth"}
    (folder / "packs" / "small.yaml").unlink()
    site = tmp_path / "site"
    (site / "their_weights").mkdir(parents=True)
    weights.rename(site / "their_weights" / "small.pth")
    imported = "raise RuntimeError('imported')"
    files = {"their_weights/__init__.py": imported, "their_weights/small.yaml": yaml.safe_dump(facts)}
    install(site, "theirs", {"leansort.packs": {"small": "their_weights"}}, files)
    monkeypatch.syspath_prepend(str(site))
    plugins.forget()
    assert same(weight_loader.read_weights(SMALL), weight_packs.own_state())
    state = next(pack for pack in pack_states().packs if pack.name == "small")
    assert (state.facts.distribution, state.installed, state.cached) == ("theirs", "yes", True)


def test_the_list_tells_what_is_at_hand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = weight_packs.write_pack(folder)
    (folder / "packs" / "broken.yaml").write_text("file: x.pth")

    def state() -> str:
        return next(pack.state for pack in pack_states().packs if pack.name == "small")

    assert state() == "installed"
    weight_loader.read_weights(SMALL)
    assert state() == "cached, installed"
    weights.write_bytes(b"other")
    assert state() == "cached, file differs"
    cached().unlink()
    weights.unlink()
    assert state() == "file missing"
    weight_packs.write_pack(folder, distribution="no-such-thing")
    assert state() == "not installed"
    assert "left out: pack 'broken' of" in capsys.readouterr().err
    table = packs_table(pack_states())
    assert "pack:small" in table
    assert "CC-BY-4.0" in table


def test_a_network_takes_its_own_pack_but_for_the_classifier(folder: Path) -> None:
    weight_packs.write_pack(folder)
    network = build(ArchSpec(base="small_rows", classes=3))
    hit = weight_loader.load_pretrained(network, SMALL, base="small_rows")
    assert hit.fraction == 1.0
    assert {pair.how for pair in hit.pairs} == {"name"}
    assert {pair.own for pair in hit.replaced} == {"4.weight", "4.bias"}
    assert torch.equal(network.state_dict()["1.body.1.0.weight"], weight_packs.own_state()["1.body.1.0.weight"])


@pytest.mark.parametrize(
    ("base", "width", "message"),
    [
        (
            "small_rows",
            3.0,
            "made for small_rows at width and depth 1; .* of its parameters fit, need 50%",
        ),
        (
            "tiny_s",
            1.0,
            "for small_rows, not for tiny_s; .*set arch.base: small_rows, or take what fits from",
        ),
        ("efficientnet_lite1", 1.0, "for efficientnet_lite1 there is pack:efficientnet_lite1, or take"),
    ],
)
def test_a_pack_for_another_network_is_refused(folder: Path, base: str, width: float, message: str) -> None:
    weight_packs.write_pack(folder)
    network = build(ArchSpec(base=base, width=width, classes=3))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(UserError, match=message):
        weight_loader.load_pretrained(network, SMALL, base=base)
    assert same(before, network.state_dict())


def test_statistics_that_differ_are_told(folder: Path) -> None:
    weight_packs.write_pack(folder)
    pack = weight_pack.find_pack(SMALL)
    assert pack.other_statistics(Preprocess(mean=(0.498, 0.498, 0.498), std=(0.502, 0.502, 0.502))) == ""
    assert "pack:small was trained with mean (0.5, 0.5, 0.5)" in pack.other_statistics(Preprocess())


def test_what_learned_from_a_pack_says_so_however_far_away(folder: Path, tmp_path: Path) -> None:
    weight_packs.write_pack(folder)
    assert content_digest(SMALL) == f"{SMALL}@{weight_pack.find_pack(SMALL).facts.sha256[:16]}"
    (own,) = packs_behind([SMALL])
    assert isinstance(own, dict)
    assert (own["pack"], own["used"], own["licence"]) == ("small", "pretrained", "CC-BY-4.0")
    file = tmp_path / "w.safetensors"
    trained_model.save_tensors(file, weight_packs.own_state(), {"provenance": {"packs": [own]}})
    assert packs_behind([str(file)], [str(file), SMALL]) == [own, own | {"used": "teacher"}]
    assert packs_behind(teachers=["runs/none"], known=[own]) == [own]


def test_rules_write_every_name_out() -> None:
    rules = {"a.{n}.w": "{n+2}.0", "a.7.w": "x", "b": "y"}
    names = ["a.7.w.weight", "a.10.w.bias", "b.weight", "a.1.ww.weight"]
    assert key_map.write_out(rules, names) == {"a.7.w": "x", "b": "y", "a.10.w": "12.0"}
    for theirs, own in (("a.{n}", "b"), ("a.{m}", "b.{m}"), ("a.{n}", "{n*2}")):
        with pytest.raises(UserError, match=r"need '\{n\}'"):
            key_map.write_out({theirs: own}, ["a.1"])


def test_converting_is_what_the_file_says(folder: Path) -> None:
    weight_packs.write_pack(folder)
    assert same(pack_conversion.convert_pack(weight_pack.find_pack(SMALL)), weight_packs.own_state())
