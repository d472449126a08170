"""Run by the worker's Python, as a script: print as JSON which of the packages named on the command line are there."""

import importlib.metadata
import json
import shutil
import sys
import sysconfig


def version(name):
    try:
        return importlib.metadata.version(name) or ""
    except importlib.metadata.PackageNotFoundError:
        return ""


def torchFault():
    # Only an import tells: a torch that was left half-installed still has its metadata.
    try:
        import torch
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "" if hasattr(torch, "nn") else "its files are incomplete"


def inspect(names):
    torch = version("torch")
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "numpy": version("numpy"),
        "torch": torch,
        "torchFault": torchFault() if torch else "",
        "others": {name: version(name) for name in names},
        "nvidia": shutil.which("nvidia-smi") is not None,
        "freeBytes": shutil.disk_usage(sysconfig.get_path("purelib")).free,
    }


if __name__ == "__main__":
    print(json.dumps(inspect(sys.argv[1:])))
