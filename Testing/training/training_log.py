"""What a run of the training has written down."""

import json


def log_of(folder):
    """Return the lines of ``log.jsonl`` in the folder of a run, each as a dictionary."""
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
