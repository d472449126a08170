"""The processes that share a run: how they join and how they leave.

Gloo's threads end with the last owner of the process group, of which ``destroy_process_group`` is only one. One that is
left when the interpreter ends, and then lets go of a tensor, aborts the process: "terminate called without an active
exception" (https://github.com/pytorch/pytorch/issues/190489).
"""

from __future__ import annotations

import torch
from ignite.engine import Engine
from torch.nn.parallel import DistributedDataParallel


def join_processes() -> None:
    """Join the processes that ``torchrun`` started, unless this one has: by NCCL on GPUs, by gloo on the CPU."""
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def leave_processes(trainer: Engine) -> None:
    """Leave the processes when all have come so far, and end the threads that spoke with them.

    Args:
        trainer: the owner of the networks in their data-parallel wrappers, which are emptied: it cannot run again.
    """
    torch.distributed.barrier()  # none may leave while rank 0 still writes
    for thing in (*vars(trainer).values(), *vars(trainer.state).values()):
        if isinstance(thing, DistributedDataParallel):
            vars(thing).clear()
    torch.distributed.destroy_process_group()
