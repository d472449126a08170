"""From a file to a file: read, upscale, write, and leave nothing half-written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Callable

from ..errors import InputError
from ..files.reading import read_volume
from ..files.whole_outputs import WholeOutputs, check_apart, check_output_folder
from ..files.writing import check_format_holds, check_output_path, store_volume
from ..geometry.interpolation import added_to_interpolation
from ..geometry.volume import Volume
from .put_back import zeroed
from .request import UpscaleRequest
from .upscale import UpscaleResult, upscale


def upscale_file(
    source: os.PathLike | str,
    output: os.PathLike | str,
    request: UpscaleRequest | None = None,
    *,
    series: str | None = None,
    echo: int | None = None,
    added: os.PathLike | str | None = None,
    error: os.PathLike | str | None = None,
    report_file: os.PathLike | str | None = None,
    fingerprint: str | None = None,
    compressed: bool = True,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    cancelled: Callable[[], bool] = lambda: False,
    read: Callable[[os.PathLike | str, str | None, int | None], Volume] = read_volume,
    run: Callable[..., UpscaleResult] = upscale,
) -> dict:
    """Write ``source`` upscaled to ``output`` and return the report. What cannot be written is refused before the work.

    All files take their names together, once each of them is whole.

    Args:
        source: an image file or a DICOM series folder.
        series, echo: which DICOM images of a folder or file that holds several, see ``read_dicom``.
        added: where to write the result minus B-spline interpolation.
        error: where to write the expected error; ``request.error`` must ask for it.
        report_file: where to write the report, as JSON. An old one is removed before ``output`` is replaced, so that a
            report never lies beside a volume that it does not describe.
        read, run: what reads the volume and what upscales it; others than the default may remember, see ``warm``.
        fingerprint: of all that decides the result, for the report; see ``cohort.task.fingerprint``.

    Raises:
        InputError, Cancelled: as ``upscale``, ``read_volume`` and ``write_volume`` do; no file has changed.
        ValueError: ``error`` is given and ``request.error`` does not ask for it.
    """
    volumes = [path for path in (output, added, error) if path]
    check_apart(source, [*volumes, *([report_file] if report_file else [])])
    for path in volumes:
        check_output_path(path)
    if report_file:
        check_output_folder(report_file)
        if Path(report_file).is_dir():
            raise InputError(f"{report_file} is a folder; give the report another name.")
    volume = read(source, series, echo)
    for path in volumes:
        check_format_holds(volume, path)
    result = run(volume, request, progress, cancelled)
    if added and result.report["steps"][-1]["kind"] == "labels":
        raise InputError("Labels are carried as they are, so nothing was added; ask for them without it.")
    with WholeOutputs() as outputs:

        def store(fine: Volume, path: os.PathLike | str) -> Path:
            return outputs.add(path, lambda partial: store_volume(fine, partial, compressed))

        if added:
            store(zeroed(result.survey, added_to_interpolation(result.survey.seen, result.volume)), added)
        if error:
            if result.error is None:
                raise ValueError("the request did not ask for the expected error that is to be written")
            store(result.error, error)
        size = store(result.volume, output).stat().st_size
        files = {"input": str(source), "output": str(output), "output_bytes": size}
        report = {**result.report, "files": {**files, **({"fingerprint": fingerprint} if fingerprint else {})}}
        if report_file:
            text = json.dumps(report, indent=2) + "\n"
            outputs.add(report_file, lambda partial: partial.write_text(text, encoding="utf-8"))
            Path(report_file).unlink(missing_ok=True)
    return report
