"""Draw how runs learned: their validation gains over bicubic interpolation, from the logs that they wrote.

python -m Training.reports.draw_curves "RRDB=runs/x4-rrdb" "compact=runs/x4" --out curves.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from matplotlib.figure import Figure


def draw_curves(runs: dict[str, Path], out: Path, degradations: list[str] | None = None) -> None:
    """Write a PNG with one panel a degradation and one line a run.

    Args:
        runs: label to run folder, which holds ``log.jsonl``.
        degradations: which of the logged ones, all by default.
    """
    logs = {
        label: [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        for label, folder in runs.items()
    }
    names = degradations or list(dict.fromkeys(name for log in logs.values() for name in log[-1]["gain_db"]))
    figure = Figure(figsize=(3.2 * len(names), 3.2), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)
    for panel, name in zip(panels[0], names):
        for label, log in logs.items():
            points = [(row["iteration"], row["gain_db"][name]) for row in log if name in row["gain_db"]]
            panel.plot(*zip(*points), label=label, linewidth=1.5)
        panel.axhline(0, color="0.6", linewidth=0.8)
        panel.set_title(name, fontsize=10)
        panel.set_xlabel("iterations")
        panel.grid(alpha=0.3)
    panels[0, 0].set_ylabel("gain over bicubic, dB")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.savefig(out, dpi=110)


def main() -> None:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="LABEL=FOLDER")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--degradation", action="append", metavar="NAME", help="all by default")
    options = parser.parse_args()
    pairs = dict(run.split("=", 1) for run in options.runs)
    draw_curves({label: Path(folder) for label, folder in pairs.items()}, options.out, options.degradation)


if __name__ == "__main__":
    main()
