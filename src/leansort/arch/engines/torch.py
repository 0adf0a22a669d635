"""PyTorch itself, eager: the reference that other engines are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError, LeansortError, MissingExtraError
from leansort.core.strict_model import StrictModel
from leansort.runtime.engine import Engine, engine_failure, require_pixels

if TYPE_CHECKING:
    from torch import Tensor, nn


class TorchConfig(StrictModel):
    """Settings of this engine.

    Attributes:
        threads: compute threads of each call. PyTorch knows one number for the whole process: it is set for the
            length of a call and put back.
    """

    threads: int = Field(default=1, ge=1, le=256)


class TorchEngine(Engine[TorchConfig]):
    """A network in evaluation mode; thread-safe, for nothing in it changes.

    Args:
        network: takes uint8 (b, size, size, 3), gives logits.
        size: side of the images in pixels.
        threads: of each call.
    """

    Config = TorchConfig
    requires = "torch"
    formats = ("torch",)
    proven = True

    def __init__(self, network: Callable[[Tensor], Tensor], size: int, threads: int) -> None:
        self._network, self._shape, self._threads = network, (size, size, 3), threads

    @classmethod
    def load(cls, bundle: Bundle, config: TorchConfig) -> TorchEngine:
        """Build a bundle's network.

        Raises:
            MissingExtraError: PyTorch is not installed.
            IntegrityError: the network is damaged.
        """
        return cls(build_inference_module(bundle), bundle.meta.preprocess.size, config.threads)

    def run(self, x_bhwc: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Map uint8 RGB (b, size, size, 3) to float32 logits (b, classes)."""
        import torch

        require_pixels(x_bhwc, self._shape)
        pixels = x_bhwc if x_bhwc.flags.writeable else x_bhwc.copy()  # torch warns of what it may not write into
        with torch.inference_mode(), _threads(self._threads):
            try:
                logits: npt.NDArray[np.float32] = self._network(torch.from_numpy(pixels)).numpy()
            except Exception as error:  # of its operators, and of whatever a network's own code raises
                raise engine_failure(error, "PyTorch") from None
        return logits


def build_inference_module(bundle: Bundle) -> nn.Module:
    """The network of a bundle in the torch format, with its normalization, in evaluation mode.

    Raises:
        MissingExtraError: PyTorch is not installed.
        IntegrityError: the network is damaged.
    """
    try:
        from leansort.arch import trained_model
        from leansort.arch.inference_module import InferenceModule
    except ImportError:
        raise MissingExtraError("torch", "train") from None
    try:
        model = trained_model.load_bytes(bundle.graph, bundle.meta.name)
        if model.spec.classes != len(bundle.meta.labels):
            raise IntegrityError(f"it has {model.spec.classes} outputs, its labels are {len(bundle.meta.labels)}")
        model.require_fit(bundle.meta.name)  # before memory is taken for what the architecture asks for
        return InferenceModule(model.network(), bundle.meta.preprocess).eval()
    except LeansortError as error:
        raise IntegrityError(f"bundle: its network cannot be loaded by PyTorch ({error})") from None


@contextmanager
def _threads(wanted: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    if before != wanted:
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        if before != wanted:
            torch.set_num_threads(before)
