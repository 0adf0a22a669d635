"""One root seed, named children: the only seeding in the project.

A child depends on its name alone, never on the order in which children are asked for, so adding a consumer
of randomness leaves every other one as it was.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Seeds:
    """A node in the tree of seeds.

    Attributes:
        root: the seed that the user gave.
        path: the names from the root to here, joined by `/`.
    """

    root: int
    path: str = ""

    def child(self, name: str) -> Seeds:
        """Return the node called `name` below this one, e.g. `seeds.child("train/epoch-3")`."""
        return Seeds(self.root, f"{self.path}/{name}" if self.path else name)

    @property
    def value(self) -> int:
        """This node's seed: 63 bits, the same on every platform."""
        text = f"{self.root}:{self.path}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1

    def numpy(self) -> np.random.Generator:
        """Return a fresh numpy generator for this node."""
        return np.random.Generator(np.random.PCG64(self.value))
