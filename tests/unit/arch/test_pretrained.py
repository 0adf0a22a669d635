"""Pretrained weights: what fits goes where it belongs, nothing else is touched, no pickle runs."""

from __future__ import annotations

import os
import random
import subprocess
import urllib.error
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from leansort.arch import trained_model
from leansort.arch.build import build
from leansort.arch.pretrained import checkpoint_conversion, key_map, matching, weight_loader
from leansort.arch.spec.spec import ArchSpec, FuseBatchNorm, Norm
from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.errors import IntegrityError, MissingExtraError, UserError
from tests.conftest import Cli

ROOT = Path(__file__).parents[3]
REVISION = "0123456789" * 4
State = dict[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


def network(base: str = "mobilenetv2", classes: int = 1000) -> nn.Module:
    """Ours, with the batch norms' eps that timm and torchvision train with."""
    return build(ArchSpec(base=base, classes=classes, norm=Norm(eps=1e-5))).eval()


def drawn(model: Network) -> Network:
    """Batch norms with statistics of their own, so that swapped ones show."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.8, 1.2)
            elif tensor.ndim == 1 and tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.2)
    return model.eval()


def theirs(name: str) -> nn.Module:
    """A network of timm's or torchvision's; skips the test where the library is missing."""
    library, _, model = name.partition(":")
    try:
        module: Any = import_torchvision(library)
    except MissingExtraError as error:
        pytest.skip(str(error))
    made = module.create_model(model) if library == "timm" else module.models.get_model(model, weights=None)
    return drawn(cast(nn.Module, made))


def saved(state: State, path: Path) -> str:
    """As other tools save: by the alphabet, no metadata."""
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return str(path)


def same_outputs(module: nn.Module, other: nn.Module) -> bool:
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        return bool(torch.allclose(module.double()(x), other.double()(x), atol=1e-5, rtol=0))


def chain(*widths: int) -> nn.Sequential:
    """Convolutions with batch norms and a classifier of 3 classes; widths differ, so that shapes tell layers apart."""
    blocks = [nn.Sequential(nn.Conv2d(a, b, 3, bias=False), nn.BatchNorm2d(b)) for a, b in pairwise(widths)]
    return nn.Sequential(*blocks, nn.Linear(widths[-1], 3))


def renamed(state: State, change: Callable[[str], str]) -> State:
    return {change(name): tensor for name, tensor in state.items()}


@pytest.mark.parametrize("source", ["timm:mobilenetv2_100", "torchvision:mobilenet_v2"])
def test_mobilenetv2_of_others_becomes_ours(source: str, tmp_path: Path) -> None:
    given, ours = theirs(source), network()
    pretrained = weight_loader.load_pretrained(ours, saved(given.state_dict(), tmp_path / "w.safetensors"))
    assert pretrained.fraction == 1.0
    assert not pretrained.unmatched_own
    assert not pretrained.unmatched_theirs
    assert {pair.how for pair in pretrained.pairs} == {"order"}
    assert same_outputs(ours, given)


@pytest.mark.parametrize(
    ("source", "base"),
    [
        ("timm:mobilenetv3_large_100", "mobilenetv3_large"),
        ("timm:mobilenetv3_small_100", "mobilenetv3_small"),
        ("torchvision:mobilenet_v3_large", "mobilenetv3_large"),
        ("timm:mobilenetv4_conv_small", "mobilenetv4_conv_small"),
    ],
)
def test_newer_mobile_networks_of_others_become_ours(source: str, base: str, tmp_path: Path) -> None:
    given, ours = theirs(source), network(base)
    for module in given.modules():  # torchvision's MobileNetV3 alone has the paper's
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-5
    pretrained = weight_loader.load_pretrained(ours, saved(given.state_dict(), tmp_path / "w.safetensors"))
    assert pretrained.fraction == 1.0
    assert not pretrained.unmatched_theirs
    assert same_outputs(ours, given)


def test_a_classifier_of_another_class_count_stays_as_drawn(tmp_path: Path) -> None:
    ours, given = chain(3, 4, 8), drawn(chain(3, 4, 8))
    given[-1] = nn.Linear(8, 1000)
    before = ours.state_dict()["2.weight"].clone()
    names = renamed(given.state_dict(), lambda name: "x." + name)
    for state in (given.state_dict(), names):
        pretrained = weight_loader.load_pretrained(ours, saved(state, tmp_path / "w.safetensors"))
        assert [pair.own for pair in pretrained.replaced] == ["2.weight", "2.bias"]
        assert pretrained.fraction == 1.0
        assert torch.equal(ours.state_dict()["2.weight"], before)
        assert torch.equal(ours.state_dict()["1.1.running_var"], given.state_dict()["1.1.running_var"])


def test_other_names_in_the_same_order() -> None:
    ours, given = network("mobilenetv3_small", 6), drawn(network("mobilenetv3_small", 6))
    numbers = {name.rpartition(".")[0]: None for name in given.state_dict()}
    words = random.Random(3).sample(range(1000), len(numbers))
    layers = {name: f"layer_{word}" for name, word in zip(numbers, words, strict=True)}
    state = renamed(given.state_dict(), lambda n: f"{layers[n.rpartition('.')[0]]}.{n.rpartition('.')[2]}")
    hit = matching.match(ours.state_dict(), state)
    assert hit.fraction == 1.0
    assert [layers[pair.own.rpartition(".")[0]] for pair in hit.pairs] == [
        pair.theirs.rpartition(".")[0] for pair in hit.pairs
    ]


@pytest.mark.parametrize("prefix", ["module.", "model.", "state_dict.model.", "_orig_mod.module.backbone."])
def test_wrappers_are_taken_off(prefix: str) -> None:
    given = drawn(chain(3, 4, 8)).state_dict()
    hit = matching.match(chain(3, 4, 8).state_dict(), renamed(given, lambda name: prefix + name))
    assert {pair.how for pair in hit.pairs} == {"name"}
    assert len(hit.pairs) == len(given), "num_batches_tracked too"


def test_folded_batch_norms_are_refused() -> None:
    spec = ArchSpec(base="mobilenetv2", classes=6)
    whole, folded = build(spec), build(spec.edited(FuseBatchNorm()))
    with pytest.raises(UserError, match="the weights have none, this network has 52"):
        matching.match(whole.state_dict(), folded.state_dict())
    with pytest.raises(UserError, match="this network has none, the weights have 52"):
        matching.match(folded.state_dict(), whole.state_dict())


def test_what_has_no_partner_is_listed_and_a_batch_norm_is_never_halved() -> None:
    given = drawn(chain(3, 4, 8)).state_dict()
    del given["1.1.running_var"]
    given["aux.weight"] = torch.zeros(5, 5)
    hit = matching.match(chain(3, 4, 8).state_dict(), given)
    assert hit.unmatched_own == tuple(f"1.1.{part}" for part in ("weight", "bias", "running_mean", "running_var"))
    assert hit.unmatched_theirs == ("1.1.weight", "1.1.bias", "1.1.running_mean", "aux.weight")
    lines = matching.match_table(hit).splitlines()
    assert any(line.split() == ["unmatched", "1.1.running_var", "-"] for line in lines)
    assert any(line.split() == ["unused", "-", "aux.weight"] for line in lines)
    assert any(line.split() == ["name", "4x3x3x3", "0.0.weight", "0.0.weight"] for line in lines)


def test_less_than_half_is_refused_and_nothing_is_copied(tmp_path: Path) -> None:
    ours = chain(3, 4, 8)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    with pytest.raises(UserError, match=r"% of the parameters fit this network, need 50%; without a partner: 1\.0"):
        weight_loader.load_pretrained(ours, saved(chain(3, 4, 16).state_dict(), tmp_path / "w.safetensors"))
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())


def test_a_deeper_network_takes_the_run_of_layers_that_line_up() -> None:
    given = renamed(drawn(chain(3, 4, 8, 16)).state_dict(), lambda name: f"features.{name}")
    hit = matching.match(chain(3, 4, 8, 16, 5).state_dict(), {name: given[name] for name in sorted(given)})
    assert [pair.theirs for pair in hit.pairs] == [f"features.{p.own}" for p in hit.pairs]
    assert hit.unmatched_own[0] == "3.0.weight"


class Attention(nn.Module):
    def __init__(self, names: tuple[str, ...] = ("q", "k", "v")) -> None:
        super().__init__()
        for name in names:
            self.add_module(name, nn.Linear(4, 4))
        self.last = nn.Linear(4, 2)


def test_layers_that_could_be_swapped_are_asked_about_and_a_map_of_names_answers() -> None:
    ours, given = Attention(), Attention(("query", "key", "value")).state_dict()
    shuffled = {name: given[name] for name in sorted(given)}
    with pytest.raises(UserError, match=r"'key' and 'query' have one shape and fit in one place"):
        matching.match(ours.state_dict(), shuffled)
    hit = matching.match(ours.state_dict(), shuffled, {"query": "q", "key": "k"})
    assert {(p.own, p.theirs, p.how) for p in hit.pairs if p.own.endswith("weight")} == {
        ("q.weight", "query.weight", "map"), ("k.weight", "key.weight", "map"),
        ("v.weight", "value.weight", "order"), ("last.weight", "last.weight", "name"),
    }  # fmt: skip
    assert matching.match(ours.state_dict(), given).fraction == 1.0, "in order there is no doubt"


WORDS = ("conv", "stem", "head", "norm", "proj", "mix", "gate", "body", "tail", "first")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_by_the_alphabet_every_pair_is_true_or_none_is_made(data: st.DataObject) -> None:
    widths = data.draw(st.lists(st.sampled_from([2, 3, 4]), min_size=2, max_size=7))
    own = chain(3, *widths).state_dict()
    blocks = list(dict.fromkeys(name.partition(".")[0] for name in own))
    tops = data.draw(st.permutations(WORDS))[: len(blocks)]
    numbered = data.draw(st.integers(0, len(blocks)))  # so many blocks are called by number, the rest by words
    top = {b: f"blocks.{b}" if k < numbered else tops[k] for k, b in enumerate(blocks)}
    inner = data.draw(st.sampled_from([("0", "1"), ("conv", "bn"), ("z", "a")]))

    def change(name: str) -> str:
        block, *rest = name.split(".")
        return ".".join([top[block], *([inner[int(rest[0])]] if len(rest) > 1 else []), rest[-1]])

    state = renamed(own, change)
    try:
        result = matching.compare(own, {name: state[name] for name in sorted(state)})
    except UserError:  # several orders fit
        return
    assert [pair.theirs for pair in result.pairs] == [change(pair.own) for pair in result.pairs]


def test_a_file_of_names(tmp_path: Path) -> None:
    state = renamed(
        drawn(chain(3, 4, 8)).state_dict(), lambda n: n.replace("1.1.", "second.norm.").replace("2.", "fc.")
    )
    path = tmp_path / "names.yaml"
    path.write_text("second.norm: '1.1'\nfc.weight: '2.weight'\nfc.bias: '2.bias'\n")
    hit = matching.match(chain(3, 4, 8).state_dict(), state, key_map.read_key_map(path))
    assert hit.fraction == 1.0
    assert {pair.own.rpartition(".")[0] for pair in hit.pairs if pair.how == "map"} == {"1.1", "2"}
    path.write_text('{"second.norm": "1.1", "fc": "2"}')
    assert matching.match(chain(3, 4, 8).state_dict(), state, key_map.read_key_map(path)).fraction == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0: a", "got 0: 'a', need text on both sides; put numbers in quotes"),
        ("[a]", "holds list"),
        ("nope: '0'", "the weights have nothing called 'nope'"),
        ("'0.0': '9'", "this network has nothing called '9'"),
        ("{'0.0': '1.0', '1.0': '1.0'}", "both become '1.0.weight'"),
    ],
)
def test_a_wrong_file_of_names_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text(text)
    state = chain(3, 4, 8).state_dict()
    with pytest.raises(UserError) as caught:
        matching.match(state, state, key_map.read_key_map(tmp_path / "names.yaml"))
    assert message in str(caught.value)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    torch.save({"state_dict": chain(3, 4).state_dict(), "extra": Trap(tmp_path / "ran")}, tmp_path / "bad.pth")
    with pytest.raises(UserError, match=r"other objects than tensors \(posix\.mkdir\); nothing of it was run"):
        checkpoint_conversion.convert(str(tmp_path / "bad.pth"), tmp_path / "out.safetensors")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("key", [None, "state_dict", "model", "model_state_dict", "ema"])
def test_a_checkpoint_is_converted_in_its_order(key: str | None, tmp_path: Path) -> None:
    state = drawn(chain(3, 4, 8)).state_dict() | {"shared": torch.arange(6.0)}
    state["view"] = state["shared"][::2]
    torch.save(state if key is None else {"epoch": 3, key: state}, tmp_path / "w.pth")
    assert checkpoint_conversion.convert(str(tmp_path / "w.pth"), tmp_path / "w.safetensors") == len(state)
    back = weight_loader.read_weights(str(tmp_path / "w.safetensors"))
    assert list(back) == list(state)
    assert all(torch.equal(back[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04 cut short", b"\x80\x02}q\x00."])
def test_what_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError) as caught:
        checkpoint_conversion.convert(str(tmp_path / "w.pth"), tmp_path / "out.safetensors")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.safetensors").exists()


def test_pickles_are_opened_by_the_conversion_alone() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text()
        assert path.name == "checkpoint_conversion.py" or "torch.load(" not in text, path
        assert "import pickle" not in text, path
    assert "weights_only=True" in (ROOT / "src/leansort/arch/pretrained/checkpoint_conversion.py").read_text()


@pytest.mark.parametrize("source", ["w.pth", "w.bin", "w.CKPT", "torchvision:resnet18"])
def test_a_pickle_is_not_fetched_but_the_command_named(source: str) -> None:
    with pytest.raises(UserError, match=f"leansort arch pretrained {source} --out NEW.safetensors"):
        weight_loader.read_weights(source)


def test_torchvision_is_fetched_by_the_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(url: str, path: str, prefix: str, progress: bool) -> None:
        asked.append((url.rpartition("/")[2], prefix))
        torch.save(chain(3, 4).state_dict(), path)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    assert checkpoint_conversion.convert("torchvision:mobilenet_v2", tmp_path / "w.safetensors") == 8
    assert asked == [("mobilenet_v2-7ebf99e0.pth", "7ebf99e0")]
    with pytest.raises(UserError, match="torchvision has no weights 'mobilenet_v9'; did you mean"):
        checkpoint_conversion.convert("torchvision:mobilenet_v9", tmp_path / "x.safetensors")

    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(UserError, match=r"cannot be fetched \(no route\)"):
        checkpoint_conversion.convert("torchvision:mobilenet_v2", tmp_path / "x.safetensors")


@pytest.mark.parametrize("cut", [0, 4, 60, -1])
def test_a_damaged_file_is_refused(cut: int, tmp_path: Path) -> None:
    path = Path(saved(chain(3, 4).state_dict(), tmp_path / "w.safetensors"))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(IntegrityError, match="is damaged or no safetensors file"):
        weight_loader.read_weights(str(path))


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = chain(3, 4).state_dict()
    state["0.0.weight"][0, 0, 0, 0] = float("nan")
    with pytest.raises(IntegrityError, match=r"0\.0\.weight holds values that are not finite"):
        weight_loader.load_pretrained(chain(3, 4), saved(state, tmp_path / "w.safetensors"))


def test_our_own_models_load_by_name(tmp_path: Path) -> None:
    state = drawn(network(classes=6)).state_dict()
    trained_model.save_tensors(tmp_path / "model.safetensors", state, {"version": 1})
    ours = network(classes=6)
    pretrained = weight_loader.load_pretrained(ours, str(tmp_path))
    assert pretrained.fraction == 1.0
    assert {pair.how for pair in pretrained.pairs} == {"name"}
    assert ours.state_dict()["0.0.weight"].is_contiguous(memory_format=torch.channels_last)


@pytest.fixture
def command(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run `leansort arch pretrained` with more in its environment."""

    def run(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            for name, value in more.items():
                patch.setenv(name, value)
            return cli("arch", "pretrained", *arguments)

    return run


def hub_cache(folder: Path, repository: str, state: State) -> dict[str, str]:
    """A hub cache that holds one repository; returns the environment that names it and forbids the net."""
    top = folder / "hub" / f"models--{repository.replace('/', '--')}"
    (top / "refs").mkdir(parents=True)
    (top / "refs" / "main").write_text(REVISION)
    (top / "snapshots" / REVISION).mkdir(parents=True)
    saved(state, top / "snapshots" / REVISION / "model.safetensors")
    return {"HF_HOME": str(folder), "HF_HUB_CACHE": str(folder / "hub"), "HF_HUB_OFFLINE": "1"}


@pytest.mark.parametrize("source", ["hf:someone/net", "hf:someone/net@v2", "timm:mobilenetv2_100.ra_in1k"])
def test_offline_and_not_cached_is_one_line(source: str, tmp_path: Path, command: Cli) -> None:
    pytest.importorskip("huggingface_hub")
    done = command(source, HF_HOME=str(tmp_path), HF_HUB_CACHE=str(tmp_path), HF_HUB_OFFLINE="1")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"{source}: not in the hub's cache" in done.stderr


def test_a_hub_that_does_not_answer_is_one_line(tmp_path: Path, command: Cli) -> None:
    pytest.importorskip("huggingface_hub")
    done = command("hf:a/b", HF_HOME=str(tmp_path), HF_HUB_CACHE=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr


def test_the_hubs_cache_serves_offline(tmp_path: Path, command: Cli) -> None:
    pytest.importorskip("huggingface_hub")
    environment = hub_cache(tmp_path, "someone/net", network(classes=6).state_dict())
    done = command("hf:someone/net", "--into", "mobilenetv2", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("314 tensors taken over (314 by name), 100.0% of the parameters")


def test_timm_by_its_bare_name_from_the_cache(tmp_path: Path, command: Cli) -> None:
    given = theirs("timm:mobilenetv2_100")
    environment = hub_cache(tmp_path, "timm/mobilenetv2_100.ra_in1k", given.state_dict())
    done = command("timm:mobilenetv2_100", "--out", tmp_path / "w.safetensors", **environment)
    assert done.returncode == 0, done.stderr
    assert list(weight_loader.read_weights(str(tmp_path / "w.safetensors"))) == list(given.state_dict()), (
        "in timm's order"
    )
    assert command("timm:mobilenetv2_1000", **environment).stderr.count("did you mean 'mobilenetv2_100'") == 1


def test_the_command_converts_and_shows_what_fits(tmp_path: Path, command: Cli) -> None:
    torch.save(chain(3, 4).state_dict(), tmp_path / "w.pth")
    done = command(tmp_path / "w.pth", "--out", tmp_path / "w.safetensors", "--into", "mobilenetv2")
    assert done.returncode == 2
    assert done.stdout.startswith("how")
    assert "need 50%" in done.stderr
    assert (tmp_path / "w.safetensors").exists()
    again = command(tmp_path / "w.pth", "--out", tmp_path / "w.safetensors")
    assert "is there already; name another file" in again.stderr


def test_weights_for_images_of_other_channels_are_refused(tmp_path: Path) -> None:
    """All but the first layer fits, by name and by order; a stem that stays as drawn would undo the rest unseen."""
    own, grey = chain(3, 8, 16, 24).state_dict(), chain(1, 8, 16, 24).state_dict()
    with pytest.raises(
        UserError, match=r"0.0.weight takes 1 input channels, 0.0.weight of this network takes 3 \(RGB\)"
    ):
        matching.compare(own, grey)
    named = {f"z{name}" if name.startswith("0") else f"y{name}": tensor for name, tensor in grey.items()}
    with pytest.raises(UserError, match=r"z0.0.weight takes 1 input channels"):
        matching.compare(own, named)


def test_a_map_of_names_may_have_places_for_numbers() -> None:
    own = chain(3, 8, 16, 24).state_dict()
    theirs = {f"layer{int(name[0]) + 4}{name[1:]}": tensor for name, tensor in own.items()}
    hit = matching.match(own, theirs, {"layer{n}": "{n-4}"})
    assert {pair.own: pair.theirs for pair in hit.pairs} == {
        name: f"layer{int(name[0]) + 4}{name[1:]}" for name in own if "tracked" not in name
    } | {pair.own: pair.theirs for pair in hit.pairs if "tracked" in pair.own}
    assert {pair.how for pair in hit.pairs} == {"map"}
