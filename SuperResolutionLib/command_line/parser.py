"""The command line: one parser, to which each command adds its own."""

from __future__ import annotations

import argparse

from ..version import VERSION
from . import batch, doctor, evaluate, export_dicom, fuse, models, preview, serve, upscale
from .one_line_parser import OneLineParser


def parser() -> argparse.ArgumentParser:
    """Return the parser; what it parses has ``run(options, progress, stop)``, which returns the exit code."""
    program = OneLineParser(
        prog="superresolution", description="Upscale medical volumes. Research use; not for diagnosis."
    )
    program.add_argument("--version", action="version", version=f"superresolution {VERSION}")
    commands = program.add_subparsers(required=True, metavar="COMMAND", parser_class=OneLineParser)
    for command in (upscale, fuse, batch, export_dicom, preview, serve, evaluate, models, doctor):
        command.add_to(commands)
    return program
