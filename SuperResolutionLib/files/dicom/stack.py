"""From frames to the one stack of parallel, even slices that they are, or the sentence that says what else they are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from .frames import Frame

SAME_PLACE = 0.01
"""mm along the normal up to which two frames lie at one place."""
ROUNDING = 0.02
"""mm: what positions that are written to hundredths may lie off."""
MOST_OFF_PLACE = 0.1
"""mm that any voxel may lie from where its file puts it."""
_MOST_NAMED = 6
_UNITS = {
    "echo": " ms",
    "b-value": " s/mm2",
    "inversion time": " ms",
    "repetition time": " ms",
    "tube voltage": " kV",
    "flip angle": " degrees",
}
_PLURALS = {"echo": "echoes"}


@dataclass(frozen=True)
class Stack:
    """Frames in their order along the normal of the slices.

    Attributes:
        ijk_to_lps: 4x4, from ``(column, row, frame, 1)`` to LPS mm; sheared where the gantry was tilted.
    """

    frames: list[Frame]
    ijk_to_lps: np.ndarray


def choose_echo(frames: list[Frame], echo: int | None, what: str) -> list[Frame]:
    """Return the frames of one echo, counted from 1 by echo time; all frames for None.

    Raises:
        InputError: there is no such echo.
    """
    if echo is None:
        return frames
    times = _echo_times(frames)
    if not 1 <= echo <= len(times):
        found = _listed("echo", times) if times else "no echo times"
        raise InputError(f"{what} has no echo {echo}, it holds {found}; {_choice_of_echo(len(times))}.")
    return [frame for frame in frames if frame.echo_time == times[echo - 1]]


def stack_of(frames: list[Frame], what: str) -> Stack:
    """Return the stack that frames of one series are.

    Args:
        what: names them, as the subject of a sentence.

    Raises:
        InputError: sizes or orientations differ, positions are missing, there are several images at a place, or slices
            are missing or are not even to 0.1 mm.
    """
    _check_what_all_need(frames, what)
    _check_one_size(frames, what)
    _check_one_orientation(frames, what)
    across = _direction(frames[0])[:, 2]
    heights = np.array([frame.position for frame in frames]) @ across
    order = np.argsort(heights, kind="stable")
    frames, heights = [frames[index] for index in order], heights[order]
    places = np.concatenate([[0], np.cumsum(np.diff(heights) > SAME_PLACE)])
    if places[-1] + 1 < len(frames):
        raise InputError(_several_at_a_place(frames, places, what))
    return Stack(frames, _matrix(frames, what))


# ---------------------------------------------------------------- what all images need


def _check_what_all_need(frames: list[Frame], what: str) -> None:
    for attribute, keyword in (
        ("position", "position in space (ImagePositionPatient)"),
        ("orientation", "orientation (ImageOrientationPatient)"),
        ("spacing", "size of its pixels (PixelSpacing)"),
    ):
        lacking = [frame for frame in frames if np.isnan(getattr(frame, attribute)).any()]
        if lacking:
            raise InputError(f"{_some(lacking, frames, what)} no {keyword}; give images that state it.")
    for frame in frames:
        row, column = frame.orientation[:3], frame.orientation[3:]
        if abs(row @ column) > 0.01 or abs(row @ row - 1) > 0.05 or abs(column @ column - 1) > 0.05:
            raise InputError(
                f"{frame.header.path.name} states an orientation whose axes are not at right angles;"
                " mend its ImageOrientationPatient."
            )


def _some(few: list[Frame], all_frames: list[Frame], what: str) -> str:
    if len(few) == len(all_frames):
        return f"{what} states"
    return f"Of the {len(all_frames)} images of {what}, {len(few)} ({_files(few)}) state"


def _files(frames: list[Frame]) -> str:
    names = list(dict.fromkeys(frame.header.path.name for frame in frames))
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _check_one_size(frames: list[Frame], what: str) -> None:
    kinds: dict[str, list[Frame]] = {}
    for frame in frames:
        rows, columns = frame.shape
        name = f"{columns} x {rows} pixels of {frame.spacing[1]:.4g} x {frame.spacing[0]:.4g} mm"
        kinds.setdefault(name, []).append(frame)
    if len(kinds) > 1:
        fewest = min(kinds, key=lambda name: len(kinds[name]))
        raise InputError(
            f"{what} holds images of {len(kinds)} sizes, such as {' and '.join(itertools.islice(kinds, 2))}, {fewest}"
            f" in {_files(kinds[fewest])}; give a folder with images of one size."
        )


def _check_one_orientation(frames: list[Frame], what: str) -> None:
    """Raise InputError unless the last voxels of all frames lie as to their first ones as those of the first do."""
    (rows, columns), (between_rows, between_columns) = frames[0].shape, frames[0].spacing
    ends = np.array([columns * between_columns] * 3 + [rows * between_rows] * 3)
    left = np.array([frame.orientation for frame in frames]) * ends
    orientations = 0
    while len(left):
        left = left[np.abs(left - left[0]).max(axis=1) > MOST_OFF_PLACE]
        orientations += 1
    if orientations == 1:
        return
    normals = np.array([_direction(frame)[:, 2] for frame in frames])
    if orientations == len(frames) > 2 and np.linalg.svd(normals, compute_uv=False)[2] < 0.01:
        kind = "turned about one axis (a radial stack, or projections)"
    else:
        kind = "planes that are not parallel (a localizer, or several stacks)"
    raise InputError(
        f"{what} holds {len(frames)} images in {orientations} orientations, {kind};"
        " give a folder with the images of one stack of parallel slices."
    )


# ---------------------------------------------------------------- several at a place


def _several_at_a_place(frames: list[Frame], places: np.ndarray, what: str) -> str:
    copies: dict[tuple, list[Frame]] = {}
    for frame in frames:
        copies.setdefault((frame.header.get("SOPInstanceUID"), frame.number), []).append(frame)
    twins = next((own for own in copies.values() if len(own) > 1), None)
    if twins is not None:
        return f"{what} holds one image twice ({_files(twins)}); take one of them out of the folder."
    groups = [[frames[index] for index in np.flatnonzero(places == place)] for place in range(places[-1] + 1)]
    most = max(map(len, groups))
    names = list(frames[0].marks)
    for count in (1, 2):
        for chosen in itertools.combinations(names, count):
            if all(_differ(group, chosen) for group in groups):
                return _too_many(frames, chosen, most, what)
    crowds = [group for group in groups if len(group) > 1]
    partly = [name for name in names if all(len({str(frame.marks[name]) for frame in crowd}) > 1 for crowd in crowds)]
    tells = f"of {_found(frames, partly[:2], most)}" if partly else "which nothing but their numbers tells apart"
    return (
        f"{what} holds up to {most} images at one position, {tells}, so several volumes; {_choice_of_images(frames)}."
    )


def _differ(group: list[Frame], marks: tuple[str, ...]) -> bool:
    return len({tuple(map(str, map(frame.marks.get, marks))) for frame in group}) == len(group)


def _too_many(frames: list[Frame], marks: tuple[str, ...], most: int, what: str) -> str:
    volumes = f"{what} holds {_found(frames, marks, most)} at a position, so several volumes"
    if marks == ("echo",):
        return f"{volumes}; {_choice_of_echo(len(_echo_times(frames)))}."
    return f"{volumes}; {_choice_of_images(frames)}."


def _found(frames: list[Frame], marks: Sequence[str], most: int) -> str:
    """Return how many values of each mark there are, and which where they are few, in words."""
    found = []
    for mark in marks:
        values = sorted({"none" if frame.marks[mark] is None else frame.marks[mark] for frame in frames}, key=_by_size)
        found.append(_listed(mark, values) if len(values) <= len(frames) / 2 else f"{most} {_plural(mark)}")
    return " and ".join(found)


def _choice_of_images(frames: list[Frame]) -> str:
    if len({frame.header.path for frame in frames}) == 1:
        return "write one of them to a file of its own and give that"
    return "put the images of one of them into a folder of their own and give that"


def _by_size(value: object) -> tuple:
    numeric = isinstance(value, (int, float))
    return (not numeric, value if numeric else 0, str(value))


def _listed(mark: str, values: list) -> str:
    words = [f"{value:g}" if isinstance(value, float) else str(value) for value in values[:_MOST_NAMED]]
    listed = " and ".join(words) if len(words) == len(values) <= 2 else ", ".join(words)
    listed += ", ..." if len(values) > len(words) else ""
    return f"{len(values)} {_plural(mark) if len(values) != 1 else mark} ({listed}{_UNITS.get(mark, '')})"


def _plural(mark: str) -> str:
    return _PLURALS.get(mark, f"{mark}s")


def _echo_times(frames: list[Frame]) -> list[float]:
    return sorted({frame.echo_time for frame in frames if frame.echo_time is not None})


def _choice_of_echo(count: int) -> str:
    if count < 2:
        return "leave out --echo"
    return f"choose one by --echo {'1 or 2' if count == 2 else f'1 to {count}'}"


# ---------------------------------------------------------------- places


def _matrix(frames: list[Frame], what: str) -> np.ndarray:
    """Return the matrix of sorted frames, at right angles where that puts every frame where its file does."""
    positions = np.array([frame.position for frame in frames])
    directions = _direction(frames[0])
    between_rows, between_columns = frames[0].spacing
    matrix = np.eye(4)
    matrix[:3, :2] = directions[:, :2] * [between_columns, between_rows]
    matrix[:3, 3] = positions[0]
    if len(frames) == 1:
        matrix[:3, 2] = directions[:, 2] * _single_slice_spacing(frames[0])
        return matrix
    count = np.arange(len(frames))
    distance = float(np.linalg.norm(positions[-1] - positions[0])) / (len(frames) - 1)
    matrix[:3, 2] = directions[:, 2] * distance
    if _off_place(matrix, positions) <= ROUNDING:
        return matrix
    step, origin = np.linalg.lstsq(np.stack([count, np.ones_like(count)], 1), positions, rcond=None)[0]
    matrix[:3, 2], matrix[:3, 3] = step, origin
    if _off_place(matrix, positions) > MOST_OFF_PLACE:
        raise InputError(_uneven(positions, directions[:, 2], _off_place(matrix, positions), what))
    if step @ directions[:, 2] < np.sqrt(0.5) * np.linalg.norm(step):
        raise InputError(
            f"{what} holds parallel images that lie beside each other more than above each other, a shear that no tilt"
            " of a gantry makes; give a folder with one stack."
        )
    return matrix


def _off_place(matrix: np.ndarray, positions: np.ndarray) -> float:
    placed = matrix[:3, 3] + np.arange(len(positions))[:, None] * matrix[:3, 2]
    return float(np.linalg.norm(placed - positions, axis=1).max())


def _uneven(positions: np.ndarray, across: np.ndarray, off: float, what: str) -> str:
    steps = np.diff(positions @ across)
    low, high = steps.min(), steps.max()
    gaps = steps / np.median(steps)
    if gaps.max() > 1.5 and np.abs(gaps - np.rint(gaps)).max() < 0.05:
        missing = int(np.rint(gaps).sum()) - len(steps)
        lacks = "a slice" if missing == 1 else f"{missing} slices"
        return f"{what} lacks {lacks}: images lie {low:.2f} to {high:.2f} mm apart; give the whole series."
    if high - low > MOST_OFF_PLACE / len(steps):
        fault = f"images at uneven distances, {low:.2f} to {high:.2f} mm apart"
    else:
        fault = f"images that are shifted sideways against each other, {low:.2f} mm apart"
    return f"{what} has {fault}, up to {off:.2f} mm from the nearest even positions; give a stack of even slices."


def _direction(frame: Frame) -> np.ndarray:
    """Return unit vectors along a row, along a column and across the slices, as columns, LPS."""
    row, column = frame.orientation[:3], frame.orientation[3:]
    across = np.cross(row, column)
    across = across * (1 / np.sqrt(across @ across))
    row = np.cross(column, across)
    row = row * (1 / np.sqrt(row @ row))
    return np.stack([row, np.cross(across, row), across], axis=1)


def _single_slice_spacing(frame: Frame) -> float:
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        value = abs(float(frame.first(name) or 0))
        if 0 < value < np.inf:
            return value
    return 1.0
