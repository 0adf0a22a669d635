"""What a person sees of a training: a bar below the epochs' lines on a terminal, the lines alone elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leansort.core.process.console import say, shows_bars
from leansort.train.callbacks import EpochRecord, TrainingCallback, TrainingStep

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ProgressDisplay(TrainingCallback):
    """Shows a training on standard error.

    Args:
        epochs: of the whole training, for the time that is left.
    """

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._seconds: list[float] = []
        self._bar: tuple[Progress, TaskID] | None = None

    def open(self) -> None:
        """Draw the bar, where there is a terminal."""
        if not shows_bars():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        shown = Progress(*columns, console=Console(stderr=True), transient=True)
        shown.start()
        self._bar = shown, shown.add_task("", total=None)

    def on_step(self, step: TrainingStep) -> None:
        """Move the bar."""
        if self._bar:
            shown, task = self._bar
            text = f"epoch {step.epoch}  loss {step.loss:.3f}"
            shown.update(task, completed=step.batch, total=step.batches, description=text)

    def on_epoch(self, record: EpochRecord) -> None:
        """Print an epoch's line, above the bar where there is one."""
        line = self._line(record)
        if self._bar:
            self._bar[0].console.print(line, highlight=False)
        else:
            say(line)

    def close(self, *, failed: bool) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar[0].stop()
            self._bar = None

    def _line(self, record: EpochRecord) -> str:
        self._seconds.append(record["seconds"])
        left_s = sum(self._seconds) / len(self._seconds) * (self._epochs - record["epoch"])
        score = f"  val macro-F1 {record['val_macro_f1']:.4f}" if "val_macro_f1" in record else ""
        flipped = f" (flipped {record['val_macro_f1_tta']:.4f})" if "val_macro_f1_tta" in record else ""
        return (
            f"epoch {record['epoch']}/{self._epochs}  loss {record['loss']:.3f}{score}"
            f"{flipped}  {record['images_per_s']:.0f} images/s  {left_s / 60:.1f} min left"
        )
