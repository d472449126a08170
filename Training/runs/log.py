"""What a run tells while it goes on: a line of ``log.jsonl`` and TensorBoard pictures at every checkpoint."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Protocol

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from Training.runs.checkpoints import at_every, read_checkpoint


def tensorboard_writer(out: os.PathLike | str) -> SummaryWriter | None:
    """Return what writes for TensorBoard in ``out/tensorboard``; None in processes of rank > 0.

    Where ``out/checkpoint.pt`` is there the run goes on from it, so what was drawn of later iterations is hidden.
    """
    if idist.get_rank() > 0:
        return None
    checkpoint = Path(out, "checkpoint.pt")
    next_iteration = read_checkpoint(checkpoint)["iteration"] + 1 if checkpoint.exists() else None
    return SummaryWriter(Path(out, "tensorboard"), purge_step=next_iteration)


class Validation(Protocol):
    """What a run looks at on unseen volumes."""

    def measures(self, device: torch.device) -> dict[str, dict[str, float]]:
        """Return what the network reaches by degradation or task, for each measure, such as "gain_db"."""

    def images(self, device: torch.device) -> dict[str, torch.Tensor]:
        """Return sample images ``(1, H, W)`` in [0, 1] by their titles."""


class RunLog:
    """An ignite handler that validates, and writes what the run has reached.

    A line is ``{"iteration": ..., "loss": ..., one entry per term, each of the validation's measures: {...},
    "seconds_left": ...}``. Losses are means over all processes and over the iterations since the last line, terms over
    those of them that had the term. A run that is killed between a line and its checkpoint writes that line again.

    Args:
        path: the file. every: iterations between two lines.
        validation: what is measured at every line, on rank 0.
        writer: of TensorBoard; only rank 0's is used.
    """

    def __init__(
        self,
        path: os.PathLike | str,
        every: int,
        validation: Validation,
        writer: SummaryWriter | None,
    ):
        self.path, self.every, self.validation, self.writer = Path(path), every, validation, writer
        self._sums: dict[str, torch.Tensor | float] = {}
        self._counts: dict[str, int] = {}

    def attach(self, engine: Engine) -> None:
        """Make ``engine`` log; attach it before ``Checkpoints``."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(at_every(self.every), self.write)
        engine.add_event_handler(Events.COMPLETED, self.end)

    def begin(self, engine: Engine) -> None:
        """Start the clock."""
        self._began, self._first = time.monotonic(), engine.state.iteration

    def add(self, engine: Engine) -> None:
        """Add an iteration's losses to the sums, without waiting for the device to have computed them."""
        for name, value in engine.state.output.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def write(self, engine: Engine) -> None:
        """Write one line; every process must call it."""
        done = engine.state.iteration
        record = {"iteration": done, **self._means(engine.state.device)}
        if idist.get_rank() > 0:
            return
        measures = self.validation.measures(engine.state.device)
        for measure, numbers in measures.items():
            record[measure] = {name: round(number, 3) for name, number in numbers.items()}
        seconds = time.monotonic() - self._began
        record["seconds_left"] = round(seconds / (done - self._first) * (engine.state.epoch_length - done))
        line = json.dumps(record)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as log:
            log.write(line + "\n")
        tqdm.write(line)
        self._draw(measures, engine)

    def end(self, engine: Engine) -> None:
        """Close TensorBoard's file, and end its thread."""
        if self.writer is not None:
            self.writer.close()

    def _means(self, device: torch.device) -> dict[str, float]:
        means = torch.stack(
            [torch.as_tensor(total / self._counts[name], device=device) for name, total in self._sums.items()]
        )
        means = idist.all_reduce(means) / idist.get_world_size()
        names, self._sums, self._counts = list(self._sums), {}, {}
        return dict(zip(names, means.tolist()))

    def _draw(self, measures: dict[str, dict[str, float]], engine: Engine) -> None:
        if self.writer is None:
            return
        for measure, numbers in measures.items():
            for name, number in numbers.items():
                self.writer.add_scalar(f"{measure}/{name}", number, engine.state.iteration)
        for title, image in self.validation.images(engine.state.device).items():
            self.writer.add_image(title, image, engine.state.iteration)
        self.writer.flush()
