"""The training's short commands; see ``python -m Training --help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fire.parser import DefaultParseValue
from monai.bundle import ConfigWorkflow

CONFIGS = Path(__file__).parent / "configs"
OPTIONS = {
    "--data": ("dataset_dir", "folder of the volumes"),
    "--datalist": ("datalist", "which of the volumes, how often, in which planes"),
    "--factor": ("factor", "how many times finer, along both axes of the slices"),
    "--start": ("start_from", "checkpoint or model folder to begin with the weights of"),
    "--model": ("model", "model folder, installed model or checkpoint"),
    "--input": ("input_dir", "folder of the volumes"),
    "--output": ("output_dir", "folder for the finer ones"),
    "--out": ("out", "folder for what is written; a run that it holds is gone on with"),
    "--iterations": ("iterations", "length of the run"),
    "--threads": ("threads", "CPU threads"),
}
COMMANDS = {
    "stage1": "--data --datalist --factor --start --out --iterations --threads",
    "stage2": "--data --datalist --start --out --iterations --threads",
    "vgg19": "--data --datalist --out --iterations --threads",
    "error_head": "--data --datalist --start --out --iterations --threads",
    "evaluate": "--data --model --out --threads",
    "inference": "--model --input --output --threads",
}
BASES = {
    "inference": ["inference.json"],
    "stage1": ["base.yaml"],
    "stage2": ["base.yaml"],
    "vgg19": ["base.yaml"],
    "error_head": ["base.yaml"],
}
"""What a command's own file is laid over."""


def main(arguments: list[str] | None = None) -> None:
    """Run one of the configurations in ``configs/``, with overrides, as ``python -m monai.bundle run`` does."""
    parser = argparse.ArgumentParser(prog="python -m Training", description="Train, evaluate and apply networks.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, options in COMMANDS.items():
        sub = commands.add_parser(command, help=f"run {command}.yaml", argument_default=argparse.SUPPRESS)
        for option in options.split():
            key, text = OPTIONS[option]
            sub.add_argument(option, dest=key, type=DefaultParseValue, help=text)
        for option, metavar, text in (
            ("--config", "FILE", "a file that overrides parts, such as Training/configs/rrdb.yaml"),
            ("--set", "KEY=VALUE", "overrides one key, such as batch=8 or learning_rate#peak=1e-3"),
        ):
            sub.add_argument(option, action="append", default=[], metavar=metavar, help=text)
    overrides = vars(parser.parse_args(arguments))
    command = overrides.pop("command")
    names = [*BASES.get(command, []), f"{command}.yaml"]
    files = [*(str(CONFIGS / name) for name in names), *overrides.pop("config")]
    for assignment in overrides.pop("set"):
        key, _, value = assignment.partition("=")
        overrides[key] = DefaultParseValue(value)
    workflow = ConfigWorkflow(config_file=files, logging_file=False, bundle_root=str(CONFIGS.parent), **overrides)
    workflow.initialize()
    workflow.run()
    workflow.finalize()


if __name__ == "__main__":
    sys.exit(main())
