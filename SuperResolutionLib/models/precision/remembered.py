"""What was measured of this machine, kept in the user's cache folder from run to run."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import torch


def remembered(name: str) -> dict[str, float] | None:
    """Return what was measured under ``name`` with this machine, number of threads and PyTorch; None where nothing."""
    known = _read().get(_key(name))
    return known if isinstance(known, dict) and "float32" in known else None


def remember(name: str, seconds: dict[str, float]) -> dict[str, float]:
    """Keep what was measured under ``name``, where a file can be kept, and return it."""
    path = _path()
    content = json.dumps({**_read(), _key(name): seconds}, indent=1)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(content, encoding="utf-8")
        partial.replace(path)
    except OSError:
        pass  # A machine that keeps nothing measures anew.
    return seconds


def _read() -> dict:
    try:
        known = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _path() -> Path:
    usual = {"win32": Path("AppData", "Local"), "darwin": Path("Library", "Caches")}.get(sys.platform, Path(".cache"))
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / usual) / "SuperResolution" / "precision.json"


def _key(name: str) -> str:
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    processor = capabilities.get("cpu_name") or platform.processor() or platform.machine()
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    return " | ".join(
        [platform.node(), str(processor), limit, f"{torch.get_num_threads()} threads", torch.__version__, name]
    )
