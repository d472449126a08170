"""``superresolution preview``: one slice, or one cut, as a picture."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

from ..errors import InputError
from .exit_codes import DONE
from .options import add_acquisition, add_choice, add_engine, add_grid, request
from .progress import NoProgress


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("preview", help="draw one slice: input, interpolation, ours, what was added")
    parser.add_argument("input", metavar="IN", help="a volume, as for upscale")
    parser.add_argument("picture", metavar="PNG")
    add_choice(parser)
    add_grid(parser)
    parser.add_argument(
        "--slice",
        type=int,
        metavar="N",
        help="index of the slice, or of the cut through slices; the middle by default",
    )
    parser.add_argument(
        "--error", action="store_true", help="show by how much each voxel may be off in place of what was added"
    )
    add_acquisition(parser)
    add_engine(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """Draw the picture and return the exit code."""
    from ..acquisition.survey import survey
    from ..evaluation.before_after import before_after
    from ..files.reading import read_volume
    from ..files.whole_outputs import check_apart, check_output_folder
    from ..geometry.grid import Grid
    from ..geometry.ijk import with_along
    from ..geometry.resampling import resampled
    from ..upscaling.plan import plan
    from ..upscaling.put_back import put_back
    from ..upscaling.report import model_names
    from ..upscaling.upscale import carry_out

    if not options.picture.lower().endswith(".png"):
        raise InputError("A preview is a PNG picture; end its name in .png.")
    check_apart(options.input, [options.picture])
    check_output_folder(options.picture)
    volume = read_volume(options.input, options.series, options.echo)
    wish = request(options, error=options.error)
    whole = plan(survey(volume, wish.named_axis, wish.acquired), wish)
    across = whole.survey.slice_axis
    if whole.new_slices is not None:
        # New slices are judged on a cut through them.
        across = max(axis for axis in range(3) if axis != across)
    index = volume.dimensions[across] // 2 if options.slice is None else options.slice
    if not 0 <= index < volume.dimensions[across]:
        raise InputError(f"There is no slice {index}; give one from 0 to {volume.dimensions[across] - 1}.")
    box = with_along((0, 0, 0), across, index), with_along(volume.dimensions, across, index + 1)
    result = carry_out(plan(whole.survey, replace(wish, box=box)), progress, stop)
    coarse, seen = volume.cropped(*box), whole.survey.seen.cropped(*box)
    interpolated, _ = put_back(whole.survey, resampled(seen, Grid.of(result.volume)))
    before_after(coarse, interpolated, result.volume, options.picture, across=across, error=result.error)
    for warning in result.report["warnings"]:
        print(f"warning: {warning}")
    print(f"{options.picture}: slice {index} of {options.input} by {model_names(result.report)}")
    return DONE
