"""Model folders: find, check and load them. A folder is data: nothing in it is ever executed or unpickled.

A folder follows MONAI's bundle layout. ``configs/metadata.json`` holds, beside MONAI's own keys, one block
``super_resolution`` with the keys read in ``read_model``. Descriptions are read without importing torch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .error_calibration import UNCALIBRATED, UNIT, ErrorCalibration
from .receptive_field import HALOS, SLICE_HALOS

if TYPE_CHECKING:
    import torch

    from .networks.error_head import NetworkWithError
    from .networks.network import Network

BUNDLES = Path(__file__).parent.parent / "Bundles"
QUALITIES = ("fast", "standard", "best")
AXES = {"slice plane": False, "through the slices": True}


@dataclass(frozen=True)
class Model:
    """A bundle folder whose description has been read and checked.

    Attributes:
        name: the folder's name. folder: where it is. description: one line from its card.
        factor: refinement of the slice plane, or the largest one through the slices.
        modality: DICOM modality that it was trained on.
        quality: ``"fast"`` (compact network) or ``"standard"`` (RRDB).
        network: name in the registry and keyword arguments. default_detail: in [0, 1].
        weights: kind (``"fidelity"``, ``"perceptual"``, ``"error"``) to (file inside the folder, SHA-256).
        held_band: the acquisition operator's part that data consistency holds; see ``upscaling.consistency.HeldBand``.
        through_slices: whether it refines along the slice axis; else it refines the slice plane.
        loaded: a network of that kind, in evaluation mode, that runs instead of one that ``load`` would make, or None.
        error_calibration: of its expected error, where it predicts one.
    """

    name: str
    folder: Path
    description: str
    factor: int
    modality: str
    quality: str
    network: tuple[str, dict]
    default_detail: float
    weights: dict[str, tuple[str, str]] = field(hash=False)
    held_band: float
    through_slices: bool = False
    loaded: Network | None = field(default=None, compare=False, repr=False)
    error_calibration: ErrorCalibration = field(default=UNCALIBRATED, hash=False)

    @property
    def has_detail(self) -> bool:
        """Whether there are perceptual weights, so that ``detail`` can be chosen."""
        return "perceptual" in self.weights

    @property
    def predicts_error(self) -> bool:
        """Whether there is an error head, so that the expected error can be asked for."""
        return "error" in self.weights

    @property
    def halo(self) -> int:
        """How far the network sees, in pixels of its input.

        Raises:
            InputError: the description names a network that this version does not have, or arguments it does not take.
        """
        return self._reach(HALOS)

    @property
    def slice_halo(self) -> int:
        """How far the network sees across the slices, in slices. Raises as ``halo``."""
        return self._reach(SLICE_HALOS)

    def _reach(self, reaches: dict) -> int:
        name, arguments = self.network
        if name not in reaches:
            raise InputError(f"The model {self.name} asks for a network that this version does not have; update it.")
        function = reaches[name]
        known = function.__code__.co_varnames[: function.__code__.co_argcount]
        return function(**{key: value for key, value in arguments.items() if key in known})

    def digest(self, detail: float) -> str:
        """Return the SHA-256 of the weights that ``detail`` uses, joined by ``+`` where two sets are blended.

        A ``loaded`` network whose weights are others has the SHA-256 of those, as a safetensors file of float32.
        """
        stored = "+".join(self.weights[kind][1] for kind in self._kinds(detail))
        if self.loaded is None:
            return stored
        import safetensors.torch
        import torch

        own = replace(self, loaded=None).load(detail).state_dict()
        ran = {key: value.float().cpu().contiguous() for key, value in self.loaded.state_dict().items()}
        if ran.keys() == own.keys() and all(torch.equal(ran[key], own[key]) for key in own):
            return stored
        return hashlib.sha256(safetensors.torch.save(ran)).hexdigest()

    def _kinds(self, detail: float) -> list[str]:
        if not 0 <= detail <= 1:
            raise InputError(f"Detail must lie between 0 and 1, not {detail:g}.")
        if detail > 0 and not self.has_detail:
            raise InputError(f"The model {self.name} has fidelity weights only; set detail to 0.")
        return [kind for kind, share in (("fidelity", 1 - detail), ("perceptual", detail)) if share > 0]

    def load(self, detail: float) -> Network:
        """Return the network in evaluation mode, float32 on the CPU, its weights interpolated by ``detail``.

        0 gives the fidelity weights, 1 the perceptual ones; between them the weights are blended linearly (network
        interpolation, Wang et al. 2018). A ``loaded`` network is returned as it is.

        Raises:
            InputError: a weight file is missing, has a wrong digest or does not fit the network.
        """
        import torch

        from .networks import NETWORKS

        kinds = self._kinds(detail)
        if self.loaded is not None:
            return self.loaded
        name, arguments = self.network
        if name not in NETWORKS:
            raise InputError(f"The model {self.name} asks for a network that this version does not have; update it.")
        shares = {"fidelity": 1 - detail, "perceptual": detail}
        blended: dict[str, torch.Tensor] = {}
        for kind in kinds:
            for key, tensor in self._read_weights(kind).items():
                term = shares[kind] * tensor.float()
                if key in blended and blended[key].shape != term.shape:
                    raise InputError(f"The two weight sets of {self.name} differ in shape; get a fresh copy.")
                blended[key] = blended[key] + term if key in blended else term
        try:
            with torch.device("meta"):
                network = NETWORKS[name](**arguments)
            network.load_state_dict(blended, assign=True)
        except (TypeError, ValueError, RuntimeError, AttributeError):
            raise InputError(
                f"The weights of {self.name} do not fit its network {name}; get a fresh copy of the model folder."
            ) from None
        return network.eval().requires_grad_(False)

    def with_error(
        self, network: Network, detail: float, noise: float, samples: Callable[[], torch.Tensor] | None = None
    ) -> NetworkWithError:
        """Return ``network`` with a second channel: the expected error, 1 SD, normalised.

        Args:
            network: as ``load`` gives it, or trained on from there. detail: of its weights.
            noise: its SD in the scan, normalised.
            samples: returns samples of what the network is shown of the scan, by which its level is known.

        Raises:
            InputError: the file of the head is missing, has a wrong digest or does not fit the network.
        """
        import torch

        from .networks.error_head import NetworkWithError, new_error_head

        weights = {key: tensor.float() for key, tensor in self._read_weights("error").items()}
        try:
            with torch.device("meta"):
                head = new_error_head(network)
            head.load_state_dict(weights, assign=True)
        except RuntimeError:
            raise InputError(f"The error head of {self.name} does not fit its network; get a fresh copy.") from None
        calibration = self.error_calibration
        head.requires_grad_(False)
        level, steep = UNIT, None
        if samples is not None and calibration.asks_for_samples:
            device = next(network.parameters()).device  # one that was adapted is there already
            level, steep = NetworkWithError(network, head.to(device)).eval().typical(samples().to(device))
        multiple = calibration.one_sd(noise, detail, level)
        steep = steep if calibration.by_steepness else None
        return NetworkWithError(network, head, calibration.exponent, multiple, steep).eval()

    def _read_weights(self, kind: str) -> dict[str, torch.Tensor]:
        import safetensors
        import safetensors.torch

        file, expected = self.weights[kind]
        path = self.folder / file
        try:
            content = path.read_bytes()
        except OSError:
            raise InputError(f"The model {self.name} lacks {file}; get a fresh copy of the model folder.") from None
        if hashlib.sha256(content).hexdigest() != expected:
            raise InputError(f"{file} of the model {self.name} has a wrong SHA-256; get a fresh copy of the folder.")
        try:
            return safetensors.torch.load(content)
        except (safetensors.SafetensorError, KeyError):
            raise InputError(f"{file} of the model {self.name} is not a safetensors file; get a fresh copy.") from None


def read_model(folder: os.PathLike | str) -> Model:
    """Read and check a bundle folder's description; its weights are checked when they are loaded.

    Raises:
        InputError: no such folder, no readable description, or a description that asks for what is not supported.
    """
    folder = Path(folder).resolve()
    try:
        metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
        block = metadata["super_resolution"]
        network = (str(block["network"]["name"]), {**block["network"]["arguments"], "factor": int(block["factor"])})
        model = Model(
            name=folder.name,
            folder=folder,
            description=str(metadata["description"]),
            factor=int(block["factor"]),
            modality=str(block["modality"]),
            quality=str(block["quality"]),
            network=network,
            default_detail=float(block["default_detail"]),
            weights={str(k): (str(v["file"]), str(v["sha256"])) for k, v in block["weights"].items()},
            held_band=float(block["acquisition"]["held_band"]),
            through_slices=AXES[block["axes"]],
            error_calibration=ErrorCalibration.read(block["error_calibration"])
            if "error_calibration" in block
            else UNCALIBRATED,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise InputError(f"{folder} is not a super-resolution model folder; see configs/metadata.json in it.") from None
    if not all(isinstance(v, str) or (isinstance(v, int) and 0 <= v <= 1024) for v in network[1].values()):
        raise InputError(f"The model {folder.name} has network arguments that are not numbers or words; do not use it.")
    if (
        "fidelity" not in model.weights
        or model.quality not in QUALITIES[:2]
        or not 0 < model.held_band <= 1
        or not 2 <= model.factor <= 8
    ):
        raise InputError(f"The description of the model {folder.name} is incomplete; get a fresh copy of the folder.")
    for file, _ in model.weights.values():
        if "\0" in file or folder not in (folder / file).resolve().parents:
            raise InputError(f"The model {folder.name} points outside its folder; do not use it.")
    return model


def installed_models(bundles: Path = BUNDLES) -> list[Model]:
    """Return the models that come with the program, by name."""
    return [read_model(path.parent.parent) for path in sorted(bundles.glob("*/configs/metadata.json"))]


def find_model(name: str | Model, bundles: Path = BUNDLES) -> Model:
    """Return the model with an installed name, or in a folder; a model that was read already is returned as it is.

    Raises:
        InputError: neither an installed name nor a model folder.
    """
    if isinstance(name, Model):
        return name
    if (bundles / name / "configs" / "metadata.json").is_file() and Path(name).name == name:
        return read_model(bundles / name)
    if Path(name).is_dir():
        return read_model(name)
    names = ", ".join(model.name for model in installed_models(bundles))
    raise InputError(f"There is no model {name}; choose one of {names}, or give a model folder.")


def choose_model(
    factor: float,
    quality: str,
    models: list[Model] | None = None,
    modality: str | None = None,
    with_detail: bool = False,
) -> Model:
    """Return the installed model for a factor of the slice plane.

    That is one of a DICOM modality, else one for MRI; of these the compact one for ``"fast"``, else the RRDB where
    there is one. Where detail is asked for, models that have none are left out as long as another has some.

    Raises:
        InputError: an unknown quality, or a factor that no installed model has.
    """
    if quality not in QUALITIES:
        raise InputError(f"There is no quality {quality}; choose {', '.join(QUALITIES)}.")
    models = installed_models() if models is None else models
    models = [model for model in models if not model.through_slices]
    suited = [model for model in models if model.factor == factor]
    if not suited:
        factors = sorted({model.factor for model in models})
        raise InputError(
            f"No installed model upscales x{factor:g}; choose {' or '.join(f'x{f}' for f in factors)},"
            " or give a target spacing."
        )
    wanted = "fast" if quality == "fast" else "standard"

    def unfitness(model: Model) -> tuple:
        lacks_detail = with_detail and not model.has_detail
        return lacks_detail, *_foreignness(model, modality), model.quality != wanted, model.name

    return min(suited, key=unfitness)


def _foreignness(model: Model, modality: str | None) -> tuple[bool, bool]:
    """Return what sorts models of a modality first, then those for MRI."""
    return model.modality != modality, model.modality != "MR"


def through_slices_model(modality: str | None = None, models: list[Model] | None = None) -> Model:
    """Return the installed model that makes new slices: one of a DICOM modality, else the one for MRI, else any.

    Raises:
        InputError: there is none.
    """
    models = installed_models() if models is None else models
    model = min(
        (model for model in models if model.through_slices),
        key=lambda model: _foreignness(model, modality),
        default=None,
    )
    if model is None:
        raise InputError("No installed model makes new slices; ask for the slice plane alone, or update the program.")
    return model
