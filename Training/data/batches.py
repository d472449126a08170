"""Which training pairs make up an iteration: a function of its number, however often the run was broken or divided."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import ignite.distributed as idist
import torch
from torch.utils.data import Dataset, Sampler

from Training.data.phases import Phases
from Training.data.slice_pairs import PairDataset


class NumberedBatches(Sampler):
    """A batch sampler: iteration ``t`` uses the indices ``t * batch`` to ``(t + 1) * batch - 1`` of the data set.

    Of ``W`` processes, the one of rank ``r`` takes every ``W``-th of them from the ``r``-th on. ``start`` is the
    iteration to begin at.

    Args:
        batch: pairs in an iteration, over all processes. iterations: of the whole run.

    Raises:
        ValueError: the batch cannot be divided evenly, so that the mean of the processes' gradients would not be its.
    """

    def __init__(self, batch: int, iterations: int):
        self.batch, self.iterations, self.start = batch, iterations, 0
        self.rank, self.ranks = idist.get_rank(), idist.get_world_size()
        if batch % self.ranks:
            raise ValueError(f"a batch of {batch} cannot be divided among {self.ranks} processes; choose a multiple")

    def __iter__(self) -> Iterator[list[int]]:
        for iteration in range(self.start, self.iterations):
            yield list(range(iteration * self.batch + self.rank, (iteration + 1) * self.batch, self.ranks))

    def __len__(self) -> int:
        return self.iterations - self.start


class GrowingPatches(Dataset):
    """Pairs whose patches have another size in each phase of the run (SRGAN-D grows them from 24 to 48).

    Args:
        pairs: a data set that can cut the largest patches.
        phases: ``[{"until": share of the iterations, "coarse_size": side of a coarse patch}, ...]``.
        batch, iterations: as of ``NumberedBatches``, whose indices these are.
    """

    def __init__(self, pairs: PairDataset, phases: list[dict], batch: int, iterations: int):
        self.batch = batch
        self.phases = Phases(phases, iterations)
        self.sizes = {}
        for size in {phase["coarse_size"] for phase in phases}:
            self.sizes[size] = copy.copy(pairs)  # shares the volumes
            self.sizes[size].coarse_size = size

    def __len__(self) -> int:
        return len(next(iter(self.sizes.values())))

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return self.sizes[self.phases(index // self.batch)["coarse_size"]][index]
