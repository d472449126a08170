"""From a file to a file: read, upscale, write, and leave nothing half-written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Callable

from ..errors import InputError
from ..files.reading import read_volume
from ..files.whole_outputs import check_output_folder, write_text
from ..files.writing import check_format_holds, check_output_path, write_volume
from ..geometry.interpolation import added_to_interpolation
from .request import UpscaleRequest
from .upscale import upscale


def upscale_file(
    source: os.PathLike | str,
    output: os.PathLike | str,
    request: UpscaleRequest | None = None,
    *,
    series: str | None = None,
    echo: int | None = None,
    added: os.PathLike | str | None = None,
    uncertainty: os.PathLike | str | None = None,
    report_file: os.PathLike | str | None = None,
    fingerprint: str | None = None,
    compressed: bool = True,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict:
    """Write ``source`` upscaled to ``output`` and return the report. What cannot be written is refused before the work.

    Args:
        source: an image file or a DICOM series folder.
        series, echo: which DICOM images of a folder or file that holds several, see ``read_dicom``.
        added: where to write the result minus B-spline interpolation.
        uncertainty: where to write the ensemble's standard deviation; ``request.uncertainty`` must ask for it.
        report_file: where to write the report, as JSON. An old one is removed before ``output`` is replaced, so that a
            report never lies beside a volume that it does not describe.
        fingerprint: of all that decides the result, for the report; see ``cohort.task.fingerprint``.

    Raises:
        InputError, Cancelled: as ``upscale``, ``read_volume`` and ``write_volume`` do; no file has changed.
        ValueError: ``uncertainty`` is given and ``request.uncertainty`` does not ask for it.
    """
    outputs = [path for path in (output, added, uncertainty) if path]
    for path in outputs:
        check_output_path(path)
    if report_file:
        check_output_folder(report_file)
        if Path(report_file).is_dir():
            raise InputError(f"{report_file} is a folder; give the report another name.")
    volume = read_volume(source, series, echo)
    for path in outputs:
        check_format_holds(volume, path)
    result = upscale(volume, request, progress, cancelled)
    if report_file:
        Path(report_file).unlink(missing_ok=True)
    if added:
        write_volume(added_to_interpolation(volume, result.volume), added, compressed)
    if uncertainty:
        if result.uncertainty is None:
            raise ValueError("the request did not ask for the uncertainty that is to be written")
        write_volume(result.uncertainty, uncertainty, compressed)
    write_volume(result.volume, output, compressed)
    files = {"input": str(source), "output": str(output), "output_bytes": Path(output).stat().st_size}
    report = {**result.report, "files": {**files, **({"fingerprint": fingerprint} if fingerprint else {})}}
    if report_file:
        write_text(Path(report_file), json.dumps(report, indent=2) + "\n")
    return report
