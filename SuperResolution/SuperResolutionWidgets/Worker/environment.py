from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def workerEnvironment(inherited: dict[str, str]) -> dict[str, str]:
    """Return what to add to the environment of a worker so that it finds the engine and speaks UTF-8.

    Args:
        inherited: the environment that the worker gets otherwise; its PYTHONPATH is kept behind ours.
    """
    engine = Path(importlib.util.find_spec("SuperResolutionLib").origin).parent.parent
    path = [str(engine), *filter(None, [inherited.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8",
        # The device list numbers the GPUs as nvidia-smi does.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
