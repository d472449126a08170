"""From several files to one: read, fuse, write, and leave nothing half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import InputError
from ..files.reading import read_volume
from ..files.whole_outputs import WholeOutputs, check_apart, check_output_folder
from ..files.writing import check_output_path, store_volume
from .fuse import fuse
from .request import FuseRequest
from .sources import Source, check_one_patient


def fuse_files(
    sources: Sequence[Source],
    output: os.PathLike | str,
    request: FuseRequest | None = None,
    *,
    report_file: os.PathLike | str | None = None,
    fingerprint: str | None = None,
    compressed: bool = True,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict:
    """Write the one volume that ``sources`` make to ``output`` and return the report.

    What cannot be written is refused before the work, and all files take their names together.

    Args:
        sources: image files, or series of DICOM folders; the first is the reference.
        report_file: where to write the report, as JSON.
        fingerprint: of all that decides the result, for the report; see ``cohort.task``.

    Raises:
        InputError, Cancelled: as ``fuse``, ``read_volume`` and ``write_volume`` do; no file has changed.
    """
    check_output_path(output)
    for source in sources:
        check_apart(source.path, [output, *([report_file] if report_file else [])])
    if report_file:
        check_output_folder(report_file)
        if Path(report_file).is_dir():
            raise InputError(f"{report_file} is a folder; give the report another name.")
    check_one_patient(sources)
    volumes = [read_volume(source.path, source.series) for source in sources]
    result = fuse(volumes, request, progress, cancelled)
    with WholeOutputs() as outputs:
        stored = outputs.add(output, lambda partial: store_volume(result.volume, partial, compressed))
        files = {
            "input": ", ".join(source.name for source in sources),
            "output": str(output),
            "output_bytes": stored.stat().st_size,
        }
        report = {**result.report, "files": {**files, **({"fingerprint": fingerprint} if fingerprint else {})}}
        if report_file:
            text = json.dumps(report, indent=2) + "\n"
            outputs.add(report_file, lambda partial: partial.write_text(text, encoding="utf-8"))
            Path(report_file).unlink(missing_ok=True)
    return report
