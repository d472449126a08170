"""Settings that change from phase to phase of a run, as functions of the iteration alone."""

from __future__ import annotations


class Phases:
    """Settings by phase, such as the loss's weights or the size of the patches.

    Args:
        phases: ``[{"until": share of the iterations, setting: value, ...}, ...]``; the last one ends at 1.
        iterations: of the whole run.

    Raises:
        ValueError: the shares do not rise to 1.
    """

    def __init__(self, phases: list[dict], iterations: int):
        shares = [phase["until"] for phase in phases]
        if shares != sorted(set(shares)) or shares[-1:] != [1]:
            raise ValueError(f"the phases must end at rising shares of the iterations, the last at 1, not at {shares}")
        self._ends = [share * iterations for share in shares]
        self._settings = [{key: value for key, value in phase.items() if key != "until"} for phase in phases]

    @property
    def names(self) -> set[str]:
        """The names of all phases' settings."""
        return {name for settings in self._settings for name in settings}

    def __call__(self, iteration: int) -> dict:
        """Return the settings of the first phase that has not ended."""
        return next(settings for end, settings in zip(self._ends, self._settings) if iteration < end)
