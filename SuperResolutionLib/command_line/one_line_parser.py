"""A parser whose complaints are one line, like every other bad input."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from ..errors import InputError


class OneLineParser(argparse.ArgumentParser):
    """Reports bad usage as one line, like every other bad input."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._negative_number_matcher = re.compile(r"^-[\d.]")  # so that --region -60,... is a value

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].upper()}{message[1:]}; see {self.prog} --help.")
