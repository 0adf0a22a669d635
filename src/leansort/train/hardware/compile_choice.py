"""Whether compiling a network pays for a training: measured, not guessed."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from leansort.core.errors import UserError, one_line

Step = Callable[[nn.Module], Tensor]


@dataclass(frozen=True)
class CompileChoice:
    """What was measured.

    Attributes:
        eager_s: seconds of a step as it is.
        compiled_s: seconds of a compiled step; infinite where it did not compile.
        compile_s: seconds that compiling took.
        steps: of the whole training.
    """

    eager_s: float
    compiled_s: float
    compile_s: float
    steps: int

    @property
    def pays(self) -> bool:
        """Whether the steps save more than compiling costs."""
        return (self.eager_s - self.compiled_s) * self.steps > self.compile_s

    def __str__(self) -> str:
        """For the person watching."""
        times = f"a step takes {self.eager_s * 1000:.1f} ms, compiled {self.compiled_s * 1000:.1f} ms"
        return f"compile: {'on' if self.pays else 'off'}; {times}, compiling takes {self.compile_s:.0f} s"


def measure_compile(network: nn.Module, step: Step, steps: int, *, rounds: int = 10) -> CompileChoice:
    """Time a step both ways on copies of a network, which itself stays as it is.

    Args:
        network: in training mode.
        step: forward and loss of one batch.
        steps: of the whole training.
        rounds: timed steps of each.
    """
    with torch.random.fork_rng():
        eager = _median(copy.deepcopy(network), step, rounds)
        started = time.perf_counter()
        try:
            compiled = copy.deepcopy(network)
            compiled.compile()
            _run(compiled, step)
            compile_s = time.perf_counter() - started
            return CompileChoice(eager, _median(compiled, step, rounds), compile_s, steps)
        except Exception:  # any fault of the compiler's means: do without it
            return CompileChoice(eager, float("inf"), time.perf_counter() - started, steps)


def require(network: nn.Module, step: Step) -> None:
    """Make sure that a copy of a network compiles and takes a step; what was compiled is found again in the cache.

    Raises:
        UserError: it does not.
    """
    with torch.random.fork_rng():
        compiled = copy.deepcopy(network)
        compiled.compile()
        try:
            _run(compiled, step)
        except Exception as error:  # the compiler raises whatever its own tools raise
            reason = one_line(error)
            raise UserError(f"train.compile: got on, but nothing compiles here ({reason}); use auto or off") from None


def _median(network: nn.Module, step: Step, rounds: int) -> float:
    taken = []
    for _ in range(rounds + 2):
        started = time.perf_counter()
        _run(network, step)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[2:])


def _run(network: nn.Module, step: Step) -> None:
    step(network).backward()  # type: ignore[no-untyped-call]
    if torch.cuda.is_available():
        torch.cuda.synchronize()
