"""Many studies: a table names the scans of each, which become one volume."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..fusion.request import FuseRequest
from ..fusion.sources import Source, sources_of
from .attempt import Attempt
from .running import run_all
from .summary import Outcome
from .task import fingerprint_of_several

OUTPUT, SCAN, SERIES = "output", "scan", "series"
"""What the names of the table's columns are, or begin with."""
DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Study:
    """A row of the table.

    Attributes:
        name: of the result, as the table has it. output: where that goes.
        scans: files and DICOM folders, the reference first, or one folder of a study. series: which of that folder.
    """

    name: str
    output: Path
    scans: tuple[Path, ...]
    series: tuple[str, ...] = ()


@dataclass(frozen=True)
class FusionTask(Attempt):
    """One study to fuse."""

    study: Study
    request: FuseRequest

    @property
    def name(self) -> str:
        return self.study.name

    @property
    def output(self) -> Path:
        return self.study.output

    def fingerprint(self) -> str:
        absent = [path for path in self.study.scans if not path.exists()]
        if absent:
            raise InputError(f"There is no file or folder {absent[0]}; check the path in the table.")
        return fingerprint_of_several([(source.path, source.series) for source in self._sources()], self.request)

    def make(self, fingerprint: str, progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]) -> dict:
        from ..fusion.files_to_file import fuse_files

        return fuse_files(
            self._sources(),
            self.output,
            self.request,
            report_file=self.report_file,
            fingerprint=fingerprint,
            compressed=self.compressed,
            progress=progress,
            cancelled=cancelled,
        )

    def _sources(self) -> list[Source]:
        return sources_of(self.study.scans, self.study.series)


def fuse_studies(
    table: os.PathLike | str,
    input_folder: os.PathLike | str,
    output_folder: os.PathLike | str,
    request: FuseRequest | None = None,
    *,
    resume: bool = False,
    workers: int = 1,
    scheduler: str | None = None,
    compressed: bool = True,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    finished: Callable[[int, int, Outcome], None] = lambda number, total, outcome: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Make one volume of each study's scans; one that fails does not stop the rest. Return what became of each.

    Beside each result lies its report, and in the output folder ``summary.csv``.

    Args:
        table: as of ``read_studies``.
        resume, workers, scheduler, compressed, progress, finished, cancelled: as of ``upscale_folder``.

    Raises:
        InputError: as ``read_studies`` and ``upscale_folder`` do.

    Example::

        outcomes = fuse_studies("fuse.csv", "studies", "fused", FuseRequest(spacing=1.0), resume=True)
    """
    request = request or FuseRequest()
    studies = read_studies(table, input_folder, output_folder)
    tasks = [FusionTask(resume, compressed, study, request) for study in studies]
    return run_all(tasks, output_folder, workers, scheduler, progress, finished, cancelled)


def read_studies(
    table: os.PathLike | str, input_folder: os.PathLike | str, output_folder: os.PathLike | str
) -> list[Study]:
    """Return the studies of a table, in its order.

    The table is CSV, in UTF-8, by commas, semicolons or tabs. Its first row names the columns: ``output``, the result's
    name below ``output_folder``; columns that begin with ``scan``, the paths of a study's scans below
    ``input_folder``, the reference first, or of one folder of a DICOM study; and columns that begin with ``series``,
    numbers or UIDs of that folder's series. Empty cells and other columns are not looked at.

    Raises:
        InputError: the table cannot be read, or lacks a column or rows; a row has no output or no scan; results have
            the same name, or one that lies outside the output folder.
    """
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(DELIMITERS, key=header.count)
            rows = [[cell.strip() for cell in row] for row in csv.reader(file, delimiter=delimiter)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The table {table} cannot be read ({error}); give a CSV file in UTF-8.") from None
    names = [name.lower() for name in rows[0]] if rows else []
    if OUTPUT not in names or not any(name.startswith(SCAN) for name in names):
        raise InputError(f"The first row of {table} does not name the columns output, scan1, scan2 and so on.")
    studies = [
        _study(names, row, number, table, Path(input_folder), Path(output_folder))
        for number, row in enumerate(rows[1:], 2)
        if any(row)
    ]
    if not studies:
        raise InputError(f"The table {table} names no study; give each a row below the names of the columns.")
    taken: set[str] = set()
    for study in studies:
        place = os.path.realpath(study.output).casefold()
        if place in taken:
            raise InputError(f"Two rows of {table} have the output {study.name}; give each a name of its own.")
        taken.add(place)
    return studies


def _study(
    names: Sequence[str], row: Sequence[str], number: int, table: os.PathLike | str, inputs: Path, outputs: Path
) -> Study:
    cells = [(name, cell) for name, cell in zip(names, row) if cell]
    output = next((cell for name, cell in cells if name == OUTPUT), "")
    scans = tuple(inputs / cell for name, cell in cells if name.startswith(SCAN))
    if not output or not scans:
        raise InputError(f"Row {number} of {table} lacks {'a scan' if output else 'an output'}; fill it in.")
    if Path(output).is_absolute() or ".." in Path(output).parts:
        raise InputError(f"Row {number} of {table} has the output {output}; give a name below the output folder.")
    series = tuple(cell for name, cell in cells if name.startswith(SERIES))
    return Study(output, outputs / output, scans, series)
