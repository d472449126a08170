"""A cohort's volumes on several processes or machines, by dask."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, Callable

from ..errors import Cancelled, InputError
from .attempt import Attempt
from .summary import Outcome

STOP_CHECK_SECONDS = 1.0
GRACE_SECONDS = 60
"""What workers get to end what they are at after a cancel: one tile, on a busy machine."""


def run_by_dask(
    tasks: Sequence[Attempt],
    workers: int,
    scheduler: str | None,
    progress: Callable[[int, int, str], None],
    cancelled: Callable[[], bool],
) -> Iterator[tuple[int, Outcome]]:
    """Yield ``(index, outcome)`` of each task as it ends; ``progress`` counts the tasks.

    Args:
        workers: processes to start on this machine. Each gets its share of the processor, so that they do not take
            threads from each other.
        scheduler: address of a running scheduler to use instead; its workers keep their own number of threads.

    Raises:
        InputError: dask is not installed, or there is no scheduler at the address.
    """
    try:
        import distributed
        from dask.system import CPU_COUNT
    except ImportError:
        raise InputError("Several workers need dask; install it by: pip install 'dask[distributed]'.") from None
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            try:
                cluster = stack.enter_context(_processes(distributed, workers))
            except Exception:
                if cancelled():  # Ctrl+C ended a worker that was about to start
                    raise Cancelled from None
                raise
        try:
            client = stack.enter_context(distributed.Client(scheduler or cluster))
        except (OSError, ValueError) as error:
            raise InputError(f"There is no dask scheduler at {scheduler} ({error}); check the address.") from None
        stop = distributed.Event(f"superresolution-{uuid.uuid4()}", client=client)
        threads = max(1, CPU_COUNT // workers) if scheduler is None else None
        pending = {
            client.submit(_run_on_worker, task, stop.name, threads, pure=False): index
            for index, task in enumerate(tasks)
        }
        progress(0, len(tasks), "Upscaling volumes")
        give_up = float("inf")
        while pending:
            if give_up == float("inf") and cancelled():
                stop.set()
                give_up = time.monotonic() + GRACE_SECONDS
            if time.monotonic() > give_up or (give_up < float("inf") and not client.scheduler_info()["workers"]):
                client.cancel(list(pending))
                yield from ((index, tasks[index].left()) for index in pending.values())
                return
            ended = [future for future in pending if future.done()]
            for future in ended:
                index, fault = pending.pop(future), future.exception()
                yield index, future.result() if fault is None else tasks[index].lost(fault)
                progress(len(tasks) - len(pending), len(tasks), "Upscaling volumes")
            if not ended:
                time.sleep(0.1)


def _processes(distributed: ModuleType, count: int) -> Any:
    return distributed.LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        # dask's own limit kills a worker that holds one large volume while the others hold little.
        memory_limit=None,
        # None takes port 8787 all the same, and warns where another batch has it.
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
        # A terminal sends Ctrl+C to the workers too; they are told to stop by the event.
        preload=["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"],
    )


def _run_on_worker(task: Attempt, stop: str, threads: int | None) -> Outcome:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    return task.run(lambda done, total, message: None, _StopEvent(stop))


class _StopEvent:
    """Asks the scheduler whether to stop, at most once in ``STOP_CHECK_SECONDS``."""

    def __init__(self, name: str):
        import distributed

        self._event = distributed.Event(name)
        self._next = 0.0
        self._set = False

    def __call__(self) -> bool:
        if time.monotonic() >= self._next:
            self._set = self._event.is_set()
            self._next = time.monotonic() + STOP_CHECK_SECONDS
        return self._set
