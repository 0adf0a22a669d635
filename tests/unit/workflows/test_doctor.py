from __future__ import annotations

from pathlib import Path

import pytest

from leansort.runtime import engine as engines
from leansort.runtime.shipped_models import default_model
from leansort.workflows.device import doctor
from leansort.workflows.device.doctor import DoctorResult, doctor_text, examine
from tests.conftest import Cli


def found(result: DoctorResult) -> dict[str, tuple[str, str]]:
    return {check.name: (check.state, check.text) for check in result.checks}


def test_a_whole_installation_has_no_fault_and_every_engine_a_time() -> None:
    result = examine()
    assert result.faults == 0
    assert set(result.engine_ms) == set(engines.installed_engines("onnx"))
    assert all(ms > 0 for ms in result.engine_ms.values())
    checks = found(result)
    assert checks[f"model {default_model().name}"][0] == "ok"
    assert checks["extra train"][1].startswith("torch ")
    assert doctor_text(result).endswith("everything works")
    assert DoctorResult.from_json(result.to_json(), "doctor") == result


def test_what_is_missing_or_in_part_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"torch-pruning": "1.6.1", "torch": "2.12.0"}
    monkeypatch.setattr(doctor, "installed_version", there.get)
    result = examine()
    checks = found(result)
    assert checks["extra compress"] == ("note", "in part: no tensorly, nncf, openvino")
    assert checks["extra wandb"] == ("ok", "not installed (pip install 'leansort[wandb]')")
    assert checks["torch"] == ("note", "2.12.0, tested with 2.13.0")
    text = doctor_text(result)
    assert "extra compress: pip install 'leansort[compress]'" in text
    assert "torch: pip install torch==2.13.0" in text


def test_a_damaged_model_is_a_fault_and_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    folder = tmp_path / "models" / "broken"
    folder.mkdir(parents=True)
    data = bytearray(default_model().path.read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.leansort").write_bytes(data)
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path))
    done = cli("doctor")
    assert done.returncode == 1
    assert "fault  model broken" in done.stdout
    assert "mend or remove it from" in done.stdout
    assert done.stdout.strip().endswith("1 fault")


def test_an_engine_that_fails_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "leansort.measure.engine_trial.find_faults",
        lambda pairs, **_: ["it crashed" if name == "openvino" else "" for _, name in pairs],
    )
    result = examine()
    assert found(result)["engine openvino"] == ("fault", "it crashed")
    assert "openvino" not in result.engine_ms
    assert result.headline()["engine openvino"].startswith("it crashed; ")
