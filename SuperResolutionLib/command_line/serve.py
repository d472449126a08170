"""``superresolution serve``: one process that upscales again and again, for a program that asks over pipes.

Each line on standard input is a request, each line on standard output an event; see Documentation/live.md.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import Cancelled, InputError
from . import upscale
from .exit_codes import DONE
from .one_line_parser import OneLineParser
from .progress import JsonProgress, NoProgress

if TYPE_CHECKING:
    from ..upscaling.warm import WarmEngine

IDLE_MINUTES = 10.0
SECONDS_BETWEEN_LOOKS = 0.5
"""How long it may take until a stop signal, or the end of the idle time, is noticed."""
REQUEST = 'a request is one JSON object a line, {"id": 1, "arguments": ["upscale", "IN", "OUT", ...]} or {"cancel": 1}'


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "serve",
        help="stay loaded, and upscale as another program asks for it over pipes",
        description="Stay loaded, and carry out upscale commands that come as JSON lines on standard input; progress,"
        " results and errors go to standard output as JSON lines. It ends when standard input does, or when it was"
        " idle for too long.",
    )
    parser.add_argument(
        "--temporary",
        metavar="DIR",
        help="where to make the folder for the files of both programs, which is removed at the end; by default where"
        " the system has temporary files",
    )
    parser.add_argument(
        "--idle",
        type=float,
        default=IDLE_MINUTES,
        metavar="MINUTES",
        help="end when nothing was asked for so long (default: %(default)g)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """Serve until standard input ends, a signal comes or the idle time is over, and return the exit code."""
    try:
        folder = tempfile.mkdtemp(prefix="SuperResolution-", dir=options.temporary)
    except OSError as error:
        raise InputError(f"No temporary folder can be made ({error}); name another place by --temporary.") from None
    requests = Requests()
    try:
        print(json.dumps({"event": "ready", "folder": folder}), flush=True)
        threading.Thread(target=requests.read, args=(0,), daemon=True).start()
        _serve(requests, 60 * options.idle, stop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return DONE


def _serve(requests: Requests, idle_seconds: float, stop: Callable[[], bool]) -> None:
    # The first request waits for these imports, so they come before it.
    from ..upscaling.warm import WarmEngine

    engine, parser = WarmEngine(), _upscale_parser()
    idle_since = time.monotonic()
    while not (stop() or requests.ended) and time.monotonic() - idle_since < idle_seconds:
        line = requests.next(SECONDS_BETWEEN_LOOKS)
        if line is None:
            continue
        _answer(line, engine, parser, requests, stop)
        engine.free()
        idle_since = time.monotonic()


def _answer(
    line: bytes, engine: WarmEngine, parser: OneLineParser, requests: Requests, stop: Callable[[], bool]
) -> None:
    """Carry out one request. Whatever becomes of it costs this one answer and no other."""
    answers = Answers(None)
    try:
        number, arguments = _understood(line)
        answers = Answers(number)

        def cancelled() -> bool:
            return stop() or requests.ended or requests.is_cancelled(number)

        if cancelled():
            raise Cancelled
        options = parser.parse_args(arguments)
        upscale.run(options, answers, cancelled, engine)
    except InputError as error:
        answers.error("input", str(error))
    except Cancelled:
        answers.error("cancelled", "Cancelled; nothing was written.")
    except Exception as error:
        traceback.print_exc()
        answers.error("fault", f"{type(error).__name__}: {error}")


def _understood(line: bytes) -> tuple[int, list[str]]:
    try:
        request = json.loads(line)
        number, arguments = request["id"], request["arguments"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"That was not understood: {REQUEST}.") from None
    if not isinstance(number, int) or not isinstance(arguments, list) or not all(map(_is_text, arguments)):
        raise InputError(f"That was not understood: {REQUEST}.")
    return number, arguments


def _is_text(value: object) -> bool:
    return isinstance(value, str)


class _HelplessParser(OneLineParser):
    """Prints no help, which would stand among the answers, and end the program."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, add_help=False, **options)


def _upscale_parser() -> OneLineParser:
    program = _HelplessParser(prog="superresolution")
    upscale.add_to(program.add_subparsers(required=True, metavar="COMMAND", parser_class=_HelplessParser))
    return program


class Answers(JsonProgress):
    """The events of one request; each bears its number, None where the request had none."""

    def __init__(self, number: int | None):
        self._number = number

    def _say(self, **event: object) -> None:
        print(json.dumps({"id": self._number, **event}), flush=True)


class Requests:
    """The lines that come over a pipe, taken by a thread of their own, so that work can be cancelled.

    Attributes:
        ended: whether no more can come, as the other side is gone.
    """

    def __init__(self) -> None:
        self._waiting: queue.Queue[bytes] = queue.Queue()
        self._cancelled: set[int] = set()
        self.ended = False

    def read(self, descriptor: int) -> None:
        """Take lines until the pipe ends."""
        unfinished = b""
        try:
            # Not sys.stdin, whose lock a thread that waits for a line keeps until Python's end.
            while data := os.read(descriptor, 65536):
                *lines, unfinished = (unfinished + data).split(b"\n")
                for line in filter(bytes.strip, lines):
                    self._take(line)
        except OSError:
            traceback.print_exc(file=sys.stderr)
        self.ended = True

    def _take(self, line: bytes) -> None:
        try:
            self._cancelled.add(int(json.loads(line)["cancel"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            self._waiting.put(line)

    def next(self, seconds: float) -> bytes | None:
        """Return the line that waits longest, or None where none comes in so many seconds."""
        try:
            return self._waiting.get(timeout=seconds)
        except queue.Empty:
            return None

    def is_cancelled(self, number: int) -> bool:
        """Return whether a request was taken back."""
        return number in self._cancelled
