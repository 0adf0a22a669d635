"""The learning rate as a function of the step alone, so that a resumed run needs no state of it."""

from __future__ import annotations

import math
from collections.abc import Callable

from leansort.train.train_config import TrainConfig


def learning_rate(step: int, steps_per_epoch: int, config: TrainConfig) -> float:
    """The learning rate of what is trained: linear warm-up, then the recipe's schedule.

    While the body is frozen (`config.freeze`) the rate stays at its peak: the classifier alone is a convex problem and
    starts from zero. Warm-up and schedule begin with the first step that trains everything, whose first gradients are
    those of a body that has never been moved.

    Args:
        step: counts from 0.
        steps_per_epoch: steps an epoch.
        config: `schedule`, `lr`, `warmup`, `epochs`, `freeze` and `cycles`.
    """
    step, epochs = step - config.freeze * steps_per_epoch, config.epochs - config.freeze
    if step < 0:
        return config.lr
    # In whole steps, or a restart would fall between two of them, and the step before it learn at a rate of zero.
    warm = round(config.warmup * steps_per_epoch) if config.schedule != "one_cycle" else 0
    if step < warm:
        return config.lr * min(1.0, (step + 1) / warm)
    done = (step - warm) / max(1.0, epochs * steps_per_epoch - warm)
    return config.lr * _SCHEDULES[config.schedule](done, config)


def _cosine(done: float, _: TrainConfig) -> float:
    """To zero (arXiv:1608.03983)."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _one_cycle(done: float, config: TrainConfig) -> float:
    """Up from a 25th over the first third, then down to nothing (arXiv:1708.07120)."""
    rise = 0.3
    if done < rise:
        return 1 / 25 + (1 - 1 / 25) * 0.5 * (1 - math.cos(math.pi * done / rise))
    return _cosine((done - rise) / (1 - rise), config)


def _restarts(done: float, config: TrainConfig) -> float:
    """Cosines one after another, each beginning at the peak again (arXiv:1608.03983)."""
    return _cosine(math.fmod(done * config.cycles + 1e-9, 1.0), config)  # a restart due now is not to be rounded away


def _constant(done: float, _: TrainConfig) -> float:
    return 1.0


_SCHEDULES: dict[str, Callable[[float, TrainConfig], float]] = {
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "restarts": _restarts,
    "constant": _constant,
}
