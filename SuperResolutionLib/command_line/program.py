"""The ``superresolution`` program: its command line, its exit codes and what it writes."""

from __future__ import annotations

import argparse
import json
import re
import signal
from dataclasses import asdict, replace
from pathlib import Path

from ..errors import Cancelled, InputError
from ..version import VERSION
from .progress import PROGRESS

DONE, SOME_FAILED, BAD_INPUT, CANCELLED = 0, 1, 2, 3


class _Parser(argparse.ArgumentParser):
    """Reports bad usage as one line, like every other bad input."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._negative_number_matcher = re.compile(r"^-[\d.]")  # so that --region -60,... is a value

    def error(self, message: str) -> None:
        raise InputError(f"{message[0].upper()}{message[1:]}; see {self.prog} --help.")


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code: 0 done, 2 bad usage or input, 3 cancelled.

    An error of our own is raised, so that Python prints its traceback and exits with 1.
    """
    progress = PROGRESS["none"]()
    stop = _StopSignal()
    try:
        options = _parser().parse_args(arguments)
        progress = PROGRESS[getattr(options, "progress", "none")]()
        return options.run(options, progress, stop)
    except InputError as error:
        progress.error("input", str(error))
        return BAD_INPUT
    except Cancelled:
        progress.error("cancelled", "Cancelled; nothing was written.")
        return CANCELLED
    except Exception as error:
        progress.error("fault", f"{type(error).__name__}: {error}")
        raise
    finally:
        stop.release()


class _StopSignal:
    """Turns Ctrl+C and a polite kill into ``cancelled()``; callable, as the engine wants it."""

    def __init__(self):
        self._came = False
        self._previous = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._remember)
            except ValueError:
                break  # Python allows handlers in its main thread only

    def _remember(self, number, frame) -> None:
        self._came = True

    def __call__(self) -> bool:
        return self._came

    def release(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="superresolution", description="Upscale medical volumes. Research use; not for diagnosis.")
    parser.add_argument("--version", action="version", version=f"superresolution {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    upscale = commands.add_parser("upscale", help="write a finer volume")
    upscale.add_argument("input", metavar="IN", help=".nrrd, .nii.gz, .mha, ... or a DICOM series folder")
    upscale.add_argument("output", metavar="OUT", help=".nrrd, .nii.gz, .nii or .mha")
    _add_upscale_options(upscale)
    upscale.add_argument("--added", metavar="FILE", help="also write the result minus B-spline interpolation")
    upscale.add_argument("--uncertainty", metavar="FILE", help="also write the flip-and-rotate ensemble's SD")
    upscale.add_argument("--report", metavar="FILE", help="also write what was done, as JSON")
    _add_engine_options(upscale)
    upscale.set_defaults(run=_upscale)

    batch = commands.add_parser("batch", help="upscale every volume below a folder")
    batch.add_argument("input", metavar="IN_DIR", help="folder of volumes and DICOM series folders, at any depth")
    batch.add_argument("output", metavar="OUT_DIR", help="gets the same folders and names, and summary.csv")
    _add_upscale_options(batch)
    batch.add_argument("--added", action="store_true", help="also write NAME.added.nrrd, as upscale --added")
    batch.add_argument("--uncertainty", action="store_true", help="also write NAME.uncertainty.nrrd, the ensemble's SD")
    batch.add_argument("--resume", action="store_true", help="skip what is there from the same input and options")
    crew = batch.add_mutually_exclusive_group()
    crew.add_argument("--workers", type=int, default=1, metavar="N", help="volumes at a time, by dask (1)")
    crew.add_argument("--scheduler", metavar="ADDRESS", help="a running dask scheduler, such as tcp://host:8786")
    _add_engine_options(batch)
    batch.set_defaults(run=_batch)

    export = commands.add_parser("export-dicom", help="write a result as a derived DICOM series")
    export.add_argument("source", metavar="IN_SERIES", help="folder of the DICOM series that was upscaled")
    export.add_argument("result", metavar="RESULT", help="its result, .nrrd, .nii.gz, ...")
    export.add_argument("output", metavar="OUT_DIR", help="a new or empty folder")
    export.add_argument("--report", metavar="FILE", help="upscale's report; RESULT.json by default, where it is there")
    export.set_defaults(run=_export_dicom)

    preview = commands.add_parser("preview", help="draw one slice: input, interpolation, ours, what was added")
    preview.add_argument("input", metavar="IN", help="a volume, as for upscale")
    preview.add_argument("picture", metavar="PNG")
    _add_grid(preview)
    preview.add_argument(
        "--slice",
        type=int,
        metavar="N",
        help="index of the slice, or of the cut through slices; the middle by default",
    )
    _add_as_stored(preview)
    _add_new_slices(preview)
    _add_engine_options(preview)
    preview.set_defaults(run=_preview)

    evaluate = commands.add_parser("evaluate", help="degrade sharp volumes and measure ours against interpolation")
    evaluate.add_argument("inputs", nargs="+", metavar="HR", help="sharp volumes")
    evaluate.add_argument("--factor", type=int, default=4, metavar="F")
    evaluate.add_argument(
        "--degradation",
        action="append",
        metavar="NAME",
        help="area, bicubic, kspace, kspace-noise (2 %%), kspace-noise5 (5 %%) or kspace-soft; all by default",
    )
    evaluate.add_argument(
        "--plane",
        action="append",
        type=_plane,
        metavar="[NAME=]AXES",
        help="the sharp plane of all volumes, or of the file NAME, such as ik; the slice plane by default",
    )
    evaluate.add_argument("--slices", type=int, default=24, metavar="N", help="slices a volume (24)")
    evaluate.add_argument("--out", metavar="DIR", help="write table.md, records.json and figure.png here")
    _add_engine_options(evaluate)
    evaluate.set_defaults(run=_evaluate)

    models = commands.add_parser("models", help="list the installed models")
    models.add_argument("--json", action="store_true")
    models.set_defaults(run=_models)

    doctor = commands.add_parser("doctor", help="check the installation, or how a scan was acquired")
    doctor.add_argument("scan", nargs="?", metavar="SCAN", help="say at which spacing this volume was acquired")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_grid(parser: argparse.ArgumentParser) -> None:
    grid = parser.add_mutually_exclusive_group()
    grid.add_argument(
        "--factor", type=_factor, metavar="F", help="4 for the slice plane, or 1x1x4, 2x2x2, ... (i x j x k)"
    )
    grid.add_argument("--spacing", type=_spacing, metavar="MM", help="0.5 for the slice plane, or 0.5x0.5x2")
    grid.add_argument("--isotropic", action="store_true", help="all axes to the finest spacing")


def _add_upscale_options(parser: argparse.ArgumentParser) -> None:
    _add_grid(parser)
    parser.add_argument("--region", type=_numbers(6), metavar="R,A,S,R,A,S", help="two corners of a box, mm")
    parser.add_argument(
        "--box", type=_box, metavar="I,J,K,I,J,K", help="only the voxels from the first index to before the second"
    )
    _add_as_stored(parser)
    _add_new_slices(parser)
    parser.add_argument("--output-type", choices=("input", "float"), default="input", help="scalar type of the result")
    parser.add_argument("--no-compression", action="store_true", help="write faster and larger files")


def _add_as_stored(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as-stored", action="store_true", help="do not crop a zero-filled scan to its acquired band first"
    )


def _add_new_slices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--thickness", type=float, metavar="MM", help="of the slices; by default what DICOM says, or else their spacing"
    )
    parser.add_argument(
        "--adapt", action="store_true", help="let the network for new slices learn from this scan first (minutes)"
    )


def _add_engine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME|DIR", help="an installed model's name, or a model folder")
    parser.add_argument("--detail", type=float, metavar="0..1", help="0 fidelity, 1 perceptual; the model's default")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]|mps")
    parser.add_argument("--quality", choices=("fast", "standard", "best"), default="standard")
    parser.add_argument("--no-consistency", action="store_true", help="do not hold the measured band")
    parser.add_argument("--progress", choices=tuple(PROGRESS), default="bar")


def _numbers(count: int, separator: str = ","):
    def parse(text: str) -> tuple[float, ...]:
        values = tuple(float(part) for part in text.split(separator))
        if len(values) != count:
            raise ValueError
        return values

    parse.__name__ = f"list of {count} numbers"
    return parse


def _factor(text: str):
    values = [int(part) for part in text.lower().split("x")]
    if len(values) not in (1, 3):
        raise ValueError
    return values[0] if len(values) == 1 else tuple(values)


def _spacing(text: str):
    values = [float(part) for part in text.lower().split("x")]
    if len(values) not in (1, 3):
        raise ValueError
    return values[0] if len(values) == 1 else tuple(values)


def _plane(text: str) -> tuple:
    name, _, axes = text.rpartition("=")
    return (name or None, axes)


def _box(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    values = tuple(int(part) for part in text.split(","))
    if len(values) != 6:
        raise ValueError
    return values[:3], values[3:]


_factor.__name__, _spacing.__name__, _box.__name__ = "factor", "spacing", "list of 6 indices"


def _request(options, **changes):
    from ..upscaling.plan import UpscaleRequest

    return UpscaleRequest(
        model=options.model,
        detail=options.detail,
        device=options.device,
        quality=options.quality,
        consistency=not options.no_consistency,
        **changes,
    )


def _upscale(options, progress, stop) -> int:
    from ..upscaling.file_to_file import upscale_file

    report = upscale_file(
        options.input,
        options.output,
        _upscale_request(options),
        added=options.added,
        uncertainty=options.uncertainty,
        report_file=options.report,
        compressed=not options.no_compression,
        progress=progress,
        cancelled=stop,
    )
    progress.result(str(options.output), report)
    return DONE


def _grid_request(options, **changes):
    return _request(
        options,
        factor=options.factor,
        spacing=options.spacing,
        isotropic=options.isotropic,
        as_stored=options.as_stored,
        thickness=options.thickness,
        adapt=options.adapt,
        **changes,
    )


def _upscale_request(options):
    return _grid_request(
        options,
        region=options.region,
        box=options.box,
        uncertainty=bool(options.uncertainty),
        output_type=options.output_type,
    )


def _batch(options, progress, stop) -> int:
    from ..cohort.folder import upscale_folder

    outcomes = upscale_folder(
        options.input,
        options.output,
        _upscale_request(options),
        added=options.added,
        resume=options.resume,
        workers=options.workers,
        scheduler=options.scheduler,
        compressed=not options.no_compression,
        progress=progress,
        finished=progress.file,
        cancelled=stop,
    )
    progress.summary(options.output, outcomes)
    states = [outcome.state for outcome in outcomes]
    if "cancelled" in states:
        left = states.count("cancelled")
        progress.error(
            "cancelled", f"Cancelled; {left} of {len(states)} volumes are left, which --resume goes on with."
        )
        return CANCELLED
    return SOME_FAILED if "failed" in states else DONE


def _export_dicom(options, progress, stop) -> int:
    from ..files.dicom.export import export_dicom
    from ..files.reading import read_volume

    path = Path(options.report or f"{options.result}.json")
    report = None
    if options.report or path.is_file():
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            report["output"]["dimensions_ijk"]
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(
                f"{path} is not a report of upscale; give the one that was made with the result."
            ) from None
    result = read_volume(options.result)
    uid = export_dicom(options.source, result, options.output, report, stop)
    print(f"{options.output}: {result.dimensions[2]} images, series {uid}")
    return DONE


def _preview(options, progress, stop) -> int:
    from ..evaluation.before_after import before_after
    from ..files.reading import read_volume
    from ..files.whole_outputs import check_output_folder
    from ..geometry.grid import Grid
    from ..geometry.resampling import resampled
    from ..upscaling.plan import plan_upscale
    from ..upscaling.upscale import upscale

    if not options.picture.lower().endswith(".png"):
        raise InputError("A preview is a PNG picture; end its name in .png.")
    check_output_folder(options.picture)
    volume = read_volume(options.input)
    request = _grid_request(options)
    plan = plan_upscale(volume, request)
    # New slices are judged on a cut through them.
    across = plan.slice_axis if plan.through is None else max(axis for axis in range(3) if axis != plan.slice_axis)
    index = volume.dimensions[across] // 2 if options.slice is None else options.slice
    if not 0 <= index < volume.dimensions[across]:
        raise InputError(f"There is no slice {index}; give one from 0 to {volume.dimensions[across] - 1}.")
    first, last = [0, 0, 0], list(volume.dimensions)
    first[across], last[across] = index, index + 1
    coarse = volume.cropped(tuple(first), tuple(last))
    result = upscale(volume, replace(request, box=(tuple(first), tuple(last))), progress, stop)
    interpolated = resampled(coarse, Grid(result.volume.ijk_to_ras, result.volume.dimensions))
    before_after(coarse, interpolated, result.volume, options.picture, across=across)
    print(f"{options.picture}: slice {index} of {options.input} by {result.report['model']}")
    return DONE


def _evaluate(options, progress, stop) -> int:
    from ..evaluation.evaluate import evaluate
    from ..evaluation.examples_figure import evaluation_figure
    from ..evaluation.table import format_table
    from ..evaluation.truths import DEGRADATIONS
    from ..files.whole_outputs import check_output_folder, write_text
    from ..upscaling.upscale import upscale

    planes = dict(options.plane or ())
    if options.out:
        folder = Path(options.out)
        check_output_folder(folder)
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; give a folder for --out.")
        folder.mkdir(exist_ok=True)

    def ours(volume, factors):
        return upscale(volume, _request(options, factor=factors), cancelled=stop).volume

    evaluation = evaluate(
        options.inputs,
        options.factor,
        options.degradation or DEGRADATIONS,
        ours,
        plane=planes.get(None) or planes,
        most_slices=options.slices,
        progress=progress,
    )
    print(format_table(evaluation.records))
    if options.out:
        write_text(folder / "table.md", format_table(evaluation.records, "markdown") + "\n")
        write_text(folder / "records.json", json.dumps(evaluation.records, indent=1) + "\n")
        evaluation_figure(evaluation.examples, folder / "figure.png")
    return DONE


def _models(options, progress, stop) -> int:
    from ..models.bundles import installed_models

    models = installed_models()
    if options.json:
        print(json.dumps([_describe(model) for model in models], indent=2))
        return DONE
    for model in models:
        print(f"{model.name}: {model.description} ({model.quality}, {', '.join(model.weights)})")
    return DONE


def _describe(model) -> dict:
    return {
        "name": model.name,
        "description": model.description,
        "folder": str(model.folder),
        "factor": model.factor,
        "modality": model.modality,
        "quality": model.quality,
        "default_detail": model.default_detail,
        "weights": {kind: digest for kind, (_, digest) in model.weights.items()},
    }


def _doctor(options, progress, stop) -> int:
    from .doctor import check_installation, check_scan

    findings = []
    for finding in [check_scan(options.scan)] if options.scan else check_installation():
        findings.append(finding)
        if not options.json:
            print(f"{'ok ' if finding.healthy else 'BAD'} {finding.subject}: {finding.text}")
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    return DONE if all(finding.healthy for finding in findings) else BAD_INPUT
