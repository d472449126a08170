"""The command line: one parser, to which each command adds its own."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from ..errors import InputError
from ..version import VERSION
from . import batch, doctor, evaluate, export_dicom, fuse, models, preview, upscale


class OneLineParser(argparse.ArgumentParser):
    """Reports bad usage as one line, like every other bad input."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._negative_number_matcher = re.compile(r"^-[\d.]")  # so that --region -60,... is a value

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].upper()}{message[1:]}; see {self.prog} --help.")


def parser() -> argparse.ArgumentParser:
    """Return the parser; what it parses has ``run(options, progress, stop)``, which returns the exit code."""
    program = OneLineParser(
        prog="superresolution", description="Upscale medical volumes. Research use; not for diagnosis."
    )
    program.add_argument("--version", action="version", version=f"superresolution {VERSION}")
    commands = program.add_subparsers(required=True, metavar="COMMAND", parser_class=OneLineParser)
    for command in (upscale, fuse, batch, export_dicom, preview, evaluate, models, doctor):
        command.add_to(commands)
    return program
