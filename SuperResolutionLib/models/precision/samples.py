"""What a network is shown of a scan before it runs: small patches of the places that ask most of it."""

from __future__ import annotations

import numpy as np

SIDE = 48
"""Pixels of a patch."""
MOST_SLICES = 32
"""Of so many slices, evenly apart, patches are taken."""
PATCHES = 4


def sample_places(slices: np.ndarray) -> list[tuple[int, slice, slice]]:
    """Return the slice, rows and columns of some patches of ``(K, H, W)`` slices of any unit.

    The first holds the highest value, the second the lowest one, and the others vary most: what the activations of a
    network reach there, they hardly surpass elsewhere. They depend on the whole scan, not on what is asked of it.
    """
    chosen = np.unique(np.linspace(0, len(slices) - 1, MOST_SLICES).round().astype(int))
    height, width = (min(SIDE, size) for size in slices.shape[1:])
    tops, lefts = (
        np.unique(np.linspace(0, size - side, -(-size // side)).round().astype(int))
        for size, side in zip(slices.shape[1:], (height, width))
    )
    places = [
        (int(number), slice(top, top + height), slice(left, left + width))
        for number in chosen
        for top in tops.tolist()
        for left in lefts.tolist()
    ]
    patches = np.stack([slices[place] for place in places]).reshape(len(places), -1)
    highest, lowest = patches.max(axis=1), patches.min(axis=1)
    varied = patches.std(axis=1, dtype=np.float64).argsort(kind="stable")[::-1]
    first = [int(highest.argmax()), int(lowest.argmin())]
    others = [int(number) for number in varied if number not in first]
    return [places[number] for number in dict.fromkeys([*first, *others][:PATCHES])]
