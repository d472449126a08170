"""The program's version, the one that pyproject.toml and the reports state."""

VERSION = "0.1.0"
