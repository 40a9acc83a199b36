"""What an image processor's file beside a model says: the side of images, how they come to it, and their scaling."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lepton.core import files
from lepton.core.errors import UserError
from lepton.models._network import Scaling

FILES = ("preprocessor_config.json", "processor_config.json")
_SIDES = (4, 1024)


def side(folder: Path, otherwise: object) -> int:
    """The side of the images in pixels; `otherwise` where no file says it."""
    kept = _said(folder)
    size: Any = kept.get("crop_size") or kept.get("size") or otherwise
    if isinstance(size, Mapping):
        size = size.get("height") or size.get("shortest_edge") or 224
    found: Any = size[0] if isinstance(size, list | tuple) else size
    low, high = _SIDES
    return max(low, min(high, int(found)))


def resize(folder: Path) -> str:
    """How images come to their size: where the shorter edge counts the centre is cut out, else they are stretched."""
    kept = _said(folder)
    size = kept.get("size")
    by_edge = isinstance(size, Mapping) and "shortest_edge" in size
    return "crop" if by_edge or kept.get("do_center_crop") else "stretch"


def pixels(folder: Path) -> Scaling:
    """Mean and deviation, (C, 1, 1), of pixels from 0 to 255. Raises UserError where no file says them."""
    kept = _said(folder)
    factor = float(kept.get("rescale_factor", 1 / 255)) if kept.get("do_rescale", True) else 1.0
    plain = {"image_mean": 0.0, "image_std": 1.0} if kept.get("do_normalize") is False else {}
    try:
        mean, std = ({**kept, **plain}[name] for name in ("image_mean", "image_std"))
    except KeyError as error:
        raise UserError(
            f"{folder} does not say how pixels are scaled",
            rule=f"A trained model needs the scaling that it was trained with: {FILES[0]} with {error.args[0]}",
            remedy="Save the image processor there too: processor.save_pretrained(folder)",
        ) from error
    scaled = (np.array(item, np.float32).reshape(-1, 1, 1) / np.float32(factor) for item in (mean, std))
    return next(scaled), next(scaled)


def _said(folder: Path) -> Mapping[str, Any]:
    """What the file says; nothing where there is none."""
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    kept: Any = files.read_json(path) if path else {}
    return kept.get("image_processor") or kept
