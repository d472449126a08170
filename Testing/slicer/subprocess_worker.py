"""The ``WorkerProcess`` without Qt: the tests pump its messages where Slicer has its event loop."""

import json
import os
import queue
import subprocess
import sys
import threading
import time

from SuperResolutionWidgets.Worker.environment import workerEnvironment
from SuperResolutionWidgets.Worker.processTree import killProcessTree


class SubprocessWorker:
    """Starts ``command ARGUMENTS``, by default the real command line."""

    def __init__(self, command=(sys.executable, "-m", "SuperResolutionLib")):
        self._command = command
        self.events = queue.Queue()
        self.process = None

    def start(self, arguments, onOutput, onErrorOutput, onFinished):
        self.arguments = arguments
        environment = {**os.environ, **workerEnvironment(dict(os.environ)), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [*self._command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        # Of its own, so that what comes after a kill reaches nobody.
        events = self.events
        pipes = [(self.process.stdout, onOutput, events), (self.process.stderr, onErrorOutput, events)]
        readers = [threading.Thread(target=self._read, args=pipe, daemon=True) for pipe in pipes]
        for reader in readers:
            reader.start()
        threading.Thread(target=self._wait, args=(readers, onFinished, events), daemon=True).start()

    def _read(self, pipe, callback, events):
        while data := pipe.read1(7):  # few bytes, so that letters and lines are cut
            events.put((callback, data))

    def _wait(self, readers, on_finished, events):
        for reader in readers:
            reader.join()
        events.put((on_finished, self.process.wait()))

    def write(self, data):
        # What a command line was before, a request is to a worker that stays.
        self.arguments = json.loads(data).get("arguments", self.arguments)
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def kill(self):
        if self.process is not None:
            killProcessTree(self.process.pid)
            self.process.wait(timeout=10)
        self.events = queue.Queue()

    def pump(self, until, seconds=60):
        """Deliver messages on this thread until ``until()`` is true; fail after ``seconds``."""
        pump([self], until, seconds)


def pump(workers, until, seconds=60):
    """Deliver the messages of all workers on this thread until ``until()`` is true; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "the worker took too long"
        for worker in list(workers):
            try:
                callback, argument = worker.events.get(timeout=0.01)
            except queue.Empty:
                continue
            callback(argument)


def alive(pid):
    """Whether a process runs (one that has ended but was not yet waited for does not)."""
    if os.name == "nt":
        listing = subprocess.run(["tasklist", "/FI", f"PID eq {pid}", "/NH"], stdout=subprocess.PIPE, text=True)
        return str(pid) in listing.stdout
    listing = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True)
    return listing.stdout.strip() not in ("", "Z", "Zs", "Z+")
