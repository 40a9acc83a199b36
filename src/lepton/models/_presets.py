"""Presets: a setting that is left out takes the preset's value."""

from collections.abc import Mapping
from typing import Any

_NARROWEST = 8


def filled(presets: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any], otherwise: str) -> dict[str, Any]:
    """The preset that `settings` names (or `otherwise`), each value replaced by the one given unless that is None."""
    preset = presets[settings.get("preset") or otherwise]
    return {key: value if settings.get(key) is None else settings[key] for key, value in preset.items()}


def scaled(width: int, fraction: float, multiple: int = 1) -> int:
    """`width` times `fraction`, rounded to a multiple of `multiple`: from 8 (or `multiple`) up to `width`."""
    rounded = multiple * round(width * fraction / multiple)
    return min(width, max(rounded, _NARROWEST, multiple))
