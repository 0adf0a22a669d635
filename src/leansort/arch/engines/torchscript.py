"""PyTorch without Python between its operators: TorchScript, traced and frozen when the bundle is loaded.

TorchScript's own archives hold pickles, which are never read or written here, so the bundle has the architecture and
its weights, and the script is made of them in memory.
"""

from __future__ import annotations

import warnings

from leansort.arch.engines.torch import TorchConfig, TorchEngine, build_inference_module
from leansort.core.bundle import Bundle


class TorchScriptEngine(TorchEngine):
    """A frozen script; thread-safe, for nothing in it changes."""

    @classmethod
    def load(cls, bundle: Bundle, config: TorchConfig) -> TorchScriptEngine:
        """Build, trace and freeze a bundle's network.

        Raises:
            MissingExtraError: PyTorch is not installed.
            IntegrityError: the network is damaged.
        """
        network = build_inference_module(bundle)
        import torch

        size = bundle.meta.preprocess.size
        example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TorchScript's end, which this version of PyTorch announces
            traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
            script = torch.jit.freeze(traced)
        return cls(script, size, config.threads)
