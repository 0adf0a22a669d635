"""A worker of a study whose trials take no training: `python -m tests.support.study_worker STORAGE NAME [SECONDS]`.

A trial's score is a function of its parameters, so that whoever does it comes to the same.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from optuna.storages import BaseStorage

from leansort.search import storage as storages
from leansort.search import study_setup
from leansort.search.search_config import SearchConfig
from leansort.search.study import Study, StudyTrial, TrialLost
from leansort.search.trials.trial_attributes import TrialAttributes
from leansort.search.trials.trial_outcome import TrialOutcome

SPACE = {
    "x": {"float": [0.0, 1.0]},
    "kind": {"choice": {"a": {"deep": {"int": [1, 8]}}, "b": 2}},
}


def config_of(name: str, **more: Any) -> SearchConfig:
    given = {"name": name, "recipe": "none", "space": SPACE, "objectives": ["macro_f1", "size_mb"], **more}
    return SearchConfig.model_validate(given)


def outcome_of(trial: StudyTrial) -> TrialOutcome:
    x, kind = trial.values["x"], trial.values["kind"]
    value = kind["deep"] if isinstance(kind, dict) else kind
    assert isinstance(value, int | float)
    assert isinstance(x, int | float)
    size = float(value)
    return TrialOutcome("trained", {"size_mb": size}, f1=min(1.0, x * size / 8), epochs=1)


def work(storage: BaseStorage, name: str, seconds: float = 0.0, patience: float = 2.0) -> int:
    """Do trials until there are enough; returns how many."""
    config = study_setup.require(storage, name).search
    from leansort.contest.formulas import Baselines

    study, done = Study(storage, config, config.wanted(Baselines()), patience=patience), 0
    while True:
        trial = study.ask()
        if trial is None:
            if study.wait(lambda text: None):
                continue
            return done
        try:
            with study.beating(trial):
                digest = f"{sorted(map(str, trial.values.items()))}"
                trial.note(TrialAttributes(digest=digest, recipe={"values": trial.values}))
                time.sleep(seconds)
                study.tell(trial, outcome_of(trial))
            done += 1
        except TrialLost:
            continue


if __name__ == "__main__":
    storages.quiet()
    with storages.closing(storages.open_storage(sys.argv[1])) as opened:
        print(work(opened, sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 0.0))
