"""The reference: a submission program as contest entries wrote theirs.

PyTorch eager, fp32, batch 1, eight loader processes that decode with Pillow, a profiling pass before the first picture.

    python -m benchmarks.old_submit MODEL FOLDER OUT
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.old_way import OldWay
from leansort.arch import trained_model

LOADERS = 8


class Pictures(Dataset[Any]):
    """Each picture by itself, as the old programs read them."""

    def __init__(self, way: OldWay, paths: list[Path]) -> None:
        self.way, self.paths = way, paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        return self.way.tensor(self.paths[index])[0], self.paths[index].name


def main() -> None:
    started = time.perf_counter()
    model, folder, out = (Path(item) for item in sys.argv[1:4])
    way = OldWay(trained_model.load(model))
    paths = sorted(folder.glob("*.jpg"))
    with torch.no_grad(), torch.profiler.profile() as profile:
        way.model(way.tensor(paths[0]))
    profiled = profile.key_averages().total_average().self_cpu_time_total / 1e6
    text, seconds = {}, {}
    begun = time.perf_counter()
    for picture, (name,) in DataLoader(Pictures(way, paths), batch_size=1, num_workers=LOADERS):
        at = time.perf_counter()
        with torch.no_grad():
            text[name] = way.names[int(way.model((picture - way.mean) / way.std).argmax())]
        seconds[name] = time.perf_counter() - at
    now = time.perf_counter()
    runtime = {"all": now - started, "inference_only": now - begun}
    tree = {"inference": text, "time": {"profile": {"cpu": profiled}, "runtime": runtime, "inference": seconds}}
    out.write_text(json.dumps(tree))


if __name__ == "__main__":
    main()
