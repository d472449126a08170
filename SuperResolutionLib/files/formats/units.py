"""Units of length in words, as file headers give them."""

from __future__ import annotations

from ...errors import InputError

MILLIMETRES = {
    **dict.fromkeys(("m", "meter", "metre", "meters", "metres"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre", "centimeters", "centimetres"), 10.0),
    **dict.fromkeys(("mm", "millimeter", "millimetre", "millimeters", "millimetres"), 1.0),
    **dict.fromkeys(("um", "\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m", "micron", "microns"), 1e-3),
    **dict.fromkeys(("micrometer", "micrometre", "micrometers", "micrometres"), 1e-3),
    **dict.fromkeys(("nm", "nanometer", "nanometre", "nanometers", "nanometres"), 1e-6),
    **dict.fromkeys(("in", "inch", "inches"), 25.4),
}


def millimetres(name: str, units: list[str]) -> tuple[float, list[str]]:
    """Return how many mm the unit of a file's axes has, 1 where it names none, and what the user should know of it.

    Raises:
        InputError: the axes have several units.
    """
    if not units:
        return 1.0, []
    known = {MILLIMETRES.get(unit.strip().lower()) for unit in units}
    if len(known) > 1:
        raise InputError(f"The axes of {name} have several units of length ({', '.join(units)}); give them all in mm.")
    scale = known.pop()
    if scale is None:
        return 1.0, [f"The file's unit of length, {units[0]}, is not known; mm was taken."]
    return scale, []
