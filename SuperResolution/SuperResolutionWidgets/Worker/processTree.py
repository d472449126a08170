from __future__ import annotations

import os
import signal
import subprocess


def killProcessTree(pid: int) -> None:
    """Kill a process and all below it. PythonSlicer is a launcher: killing it alone leaves the real Python running."""
    if os.name == "nt":
        subprocess.run(
            ["taskkill", "/PID", str(pid), "/T", "/F"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
        return
    try:
        # A stopped launcher cannot start its child between the listing and the kill.
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return
    try:
        family = [pid, *_descendants(pid)]
    except (OSError, ValueError):
        family = [pid]
    for member in family:
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _descendants(pid: int) -> list[int]:
    # The system's ps is to load the system's libraries, not those that Slicer's launcher puts before them.
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=", "-o", "ppid="], stdout=subprocess.PIPE, text=True, env=environment
    )
    children: dict[int, list[int]] = {}
    for line in listing.stdout.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, unvisited = [], [pid]
    while unvisited:
        below = children.get(unvisited.pop(), [])
        found += below
        unvisited += below
    return found
