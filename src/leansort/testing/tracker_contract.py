"""What a tracker has to keep: it takes a run's records as they are, can go on with a run, and changes no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from leansort.testing.contract import PluginContract
from leansort.train.callbacks import EpochRecord, Tracker, TrainingStep

RECORDS: list[EpochRecord] = [
    {
        "epoch": epoch, "loss": 1.0 / epoch, "lr": 0.01, "val_macro_f1": 0.2 * epoch, "images_per_s": 100.0,
        "waited": 0.1, "seconds": 2.0,
    }
    for epoch in (1, 2, 3)
]  # fmt: skip


class TrackerContract(PluginContract):
    """Runs every tracker through the life of a run; set the environment that it needs in a fixture.

    Attributes:
        recipe: the resolved recipe that it is given.
    """

    group = "trackers"
    base = Tracker
    recipe: ClassVar[dict[str, Any]] = {"name": "contract", "seed": 0, "train": {"epochs": 3, "lr": 0.01}}

    def tracker(self, name: str, folder: Path) -> Tracker:
        """A tracker that is not open yet."""
        kind = self.plugin_class(name)
        assert issubclass(kind, Tracker)
        folder.mkdir(parents=True, exist_ok=True)
        return kind("contract/run", folder, {**self.recipe})

    def test_a_run_is_followed_from_its_beginning_to_its_end(self, name: str, tmp_path: Path) -> None:
        """Records come out as they went in, and the training goes on."""
        tracker, given = self.tracker(name, tmp_path / "run"), [dict(record) for record in RECORDS]
        tracker.open()
        tracker.on_step(TrainingStep(1, 2, 10, 0.5))
        for record in given:
            tracker.on_epoch(record)
            assert tracker.should_stop() is None
        tracker.close(failed=False)
        assert given == RECORDS
        assert tracker.recipe == self.recipe

    def test_a_run_that_failed_is_gone_on_with(self, name: str, tmp_path: Path) -> None:
        """The same arguments open it again."""
        for failed, records in ((True, RECORDS[:1]), (False, RECORDS[1:])):
            tracker = self.tracker(name, tmp_path / "run")
            tracker.open()
            for record in records:
                tracker.on_epoch(dict(record))
            tracker.close(failed=failed)

    def test_a_run_may_end_before_its_first_epoch(self, name: str, tmp_path: Path) -> None:
        """As one that is interrupted does."""
        tracker = self.tracker(name, tmp_path / "run")
        tracker.open()
        tracker.close(failed=True)

    def test_no_random_numbers_are_drawn(self, name: str, tmp_path: Path) -> None:
        """A training gives the same weights whoever follows it."""
        import torch

        tracker = self.tracker(name, tmp_path / "run")
        before = torch.random.get_rng_state()
        tracker.open()
        tracker.on_epoch(dict(RECORDS[0]))
        tracker.close(failed=False)
        assert torch.equal(torch.random.get_rng_state(), before)
