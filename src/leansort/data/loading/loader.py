"""Batches for training and evaluation, the same whatever the number of workers.

Order depends on (seed, epoch), a sample's augmentation on (seed, epoch, sample), so an interrupted run that
goes on at epoch n sees exactly what an unbroken one would have seen.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from leansort.core.seeds import Seeds
from leansort.data.loading.unlabelled_order import UnlabelledOrder

Pixels = npt.NDArray[np.uint8]
Batch = tuple[Tensor, Tensor]
UNLABELLED = -1  # the label of a crop that has none


class IndexedCrops(Protocol):
    """An array of crops, or what stands for one: index to (h, w, 3) uint8."""

    def __getitem__(self, index: int) -> Pixels: ...


class Augment(Protocol):
    """Varies a batch. What happens to a crop depends on `seeds` and its own (epoch, index) key alone.

    Implementations leave `crops_bhwc` as it is and keep no state: every worker has a copy.
    """

    def __call__(self, crops_bhwc: Pixels, keys: Sequence[tuple[int, int]], seeds: Seeds) -> Pixels:
        """Turn uint8 (b, h, w, 3) into uint8 (b, size, size, 3)."""
        ...


class AugmentedCrops(Dataset[Batch]):
    """Cached crops, varied anew every epoch. Keys are (epoch, index) pairs, which the sampler gives.

    Without `augment` they come as they are cached. Crops without labels follow the others: their indices go on where
    the labelled ones end, and their label is -1.
    """

    def __init__(
        self,
        pixels: IndexedCrops,
        labels: Sequence[int],
        augment: Augment | None,
        seeds: Seeds,
        unlabelled: IndexedCrops | None = None,
    ) -> None:
        self.pixels, self.labels, self.augment, self.seeds = pixels, labels, augment, seeds
        self.unlabelled = unlabelled

    def __len__(self) -> int:
        """The labelled crops."""
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        x_1chw, label = self.__getitems__([key])
        return x_1chw[0], label[0]

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> Batch:
        """A whole batch: one block of the cache, varied, uint8 (b, 3, h, w) with channels last in memory."""
        indices = [index for _, index in keys]
        labels = torch.tensor([self.labels[index] if index < len(self) else UNLABELLED for index in indices])
        block_bhwc = self.block(indices)
        if self.augment is not None:
            block_bhwc = self.augment(block_bhwc, keys, self.seeds)
        return torch.from_numpy(block_bhwc).permute(0, 3, 1, 2), labels

    def block(self, indices: Sequence[int]) -> Pixels:
        """Crops as they are cached, uint8 (b, h, w, 3); labelled ones come first in `indices`."""
        own = [index for index in indices if index < len(self)]
        others = [index - len(self) for index in indices[len(own) :]]
        if self.unlabelled is None or not others:
            return _block(self.pixels, own)
        return np.concatenate([*([_block(self.pixels, own)] if own else []), _block(self.unlabelled, others)])


def _block(pixels: IndexedCrops, indices: list[int]) -> Pixels:
    if isinstance(pixels, np.ndarray):
        return np.asarray(pixels[indices])  # varying a memory map's slices would carry its class along
    return np.stack([pixels[index] for index in indices])


class EpochSampler(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index) in an order drawn from (seed, epoch); too short a last batch joins the one before.

    With `weights` an epoch draws as many crops with replacement, each in proportion to its weight. With several
    `ranks` a batch has `batch` crops for each, and this one's are every `ranks`-th of them, so that no crop is seen
    twice. `skip` batches are left out at the start of the epoch. `sizes` are the crops of each batch, over all ranks.
    With `unlabelled` every batch gets crops without labels behind its own, in proportion to them.
    """

    def __init__(
        self,
        length: int,
        batch: int,
        seeds: Seeds,
        weights: Sequence[float] | None = None,
        *,
        rank: int = 0,
        ranks: int = 1,
        unlabelled: UnlabelledOrder | None = None,
    ) -> None:
        self.length, self.seeds, self.epoch, self.skip = length, seeds, 0, 0
        self.unlabelled = unlabelled
        self.rank, self.ranks = rank, ranks
        self.share = None if weights is None else np.asarray(weights, np.float64) / np.sum(weights)
        starts = list(range(0, length, batch * ranks))
        if len(starts) > 1 and length - starts[-1] < 2 * ranks:  # batch norm cannot train on a single crop
            del starts[-1]
        self._spans = list(zip(starts, [*starts[1:], length], strict=True))
        more = [unlabelled.beside(start, end) for start, end in self._spans] if unlabelled else []
        self.sizes = [end - start + (more[at] if more else 0) for at, (start, end) in enumerate(self._spans)]

    def __len__(self) -> int:
        return len(self._spans)

    def begin(self, epoch: int, skip: int) -> list[list[tuple[int, int]]]:
        """Set the epoch and how many of its batches are left out; return all of them."""
        self.epoch, self.skip = epoch, 0
        batches = list(self)
        self.skip = skip
        return batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        rng = self.seeds.child(f"order/{self.epoch}").numpy()
        drawn = (
            rng.permutation(self.length) if self.share is None else rng.choice(self.length, self.length, p=self.share)
        )
        order = drawn.tolist()
        for start, end in self._spans[self.skip :]:
            keys = [(self.epoch, index) for index in order[start + self.rank : end : self.ranks]]
            others = self.unlabelled.keys(self.epoch, start, end) if self.unlabelled else []
            yield [*keys, *others[self.rank :: self.ranks]]


def train_loader(
    dataset: AugmentedCrops,
    batch: int,
    workers: int,
    seeds: Seeds,
    weights: Sequence[float] | None = None,
    *,
    rank: int = 0,
    ranks: int = 1,
    unlabelled: UnlabelledOrder | None = None,
) -> tuple[DataLoader[Batch], EpochSampler]:
    """Make the training loader and its sampler; `sampler.begin` comes before each epoch.

    `weights`: how often each crop is drawn; None: every crop once. `rank` of `ranks` processes gets its part.
    `unlabelled`: which crops without labels each batch gets beside its own.
    """
    sampler = EpochSampler(len(dataset), batch, seeds, weights, rank=rank, ranks=ranks, unlabelled=unlabelled)
    context = multiprocessing.get_context("fork") if workers else None
    loader = _Loader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        multiprocessing_context=context,
        collate_fn=_whole,
        prefetch_factor=4 if workers else None,
        persistent_workers=workers > 0,
        worker_init_fn=_one_thread,
    )
    return loader, sampler


class _Loader(DataLoader[Batch]):
    def check_worker_number_rationality(self) -> None:
        """Say nothing on a machine of fewer cores than workers: they wait most of the time."""


def _whole(batch: Any) -> Any:
    return batch  # `__getitems__` has made the batch already


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # a forked process has none of OpenCV's threads; with 0 it never asks for them


def eval_batches(pixels: Pixels, batch: int) -> Iterator[Tensor]:
    """Yield uint8 (b, 3, h, w) batches in order, without augmentation."""
    for start in range(0, len(pixels), batch):
        yield torch.from_numpy(np.ascontiguousarray(pixels[start : start + batch].transpose(0, 3, 1, 2)))
