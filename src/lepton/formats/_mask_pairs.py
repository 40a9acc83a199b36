"""Which picture a mask is of, by the names of folders and files."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lepton.formats import _names
from lepton.formats._media import IMAGE, Parts

_MASK_WORD = (
    r"masks?|annots?|annotations?|labels?|gts?|gtfine|gtcoarse|ground[_-]?truths?|seg|segmentations?|segmentationclass"
    r"|trimaps?"
)
_MASK_FOLDER = re.compile(rf"(.*?)[_\-. ]?({_MASK_WORD}|(?:\d(?:st|nd|rd|th)[_\- ])?manual\d*)", re.IGNORECASE)
_IMAGE_FOLDER = re.compile(
    r"(.*?)[_\-. ]?(images?|imgs?|pictures?|photos?|inputs?|jpegimages|leftImg8bit)", re.IGNORECASE
)
_MASK_STEM = re.compile(
    rf"(.+?)[_\-. ]+((?:{_MASK_WORD}|manual|(?:gt(?:Fine|Coarse)?_)?labelIds)(?:[_\- ]?\d+)?|\d(?:st|nd|rd|th)HO|L)",
    re.IGNORECASE,
)
_IMAGE_STEM = re.compile(r"(.+?)[_\-. ]+(images?|img|sat|leftImg8bit|training|test)", re.IGNORECASE)
_FOLDERS = 100
_FILES = 300

Key = tuple[Parts, str]
"""The folders of a picture, without those that say picture or mask, and the part of its name that its mask shares."""


@dataclass(slots=True)
class Pairs:
    """Pictures with their masks by who drew them; `alone` are masks without a picture."""

    masks: dict[Parts, dict[str, Parts]] = field(default_factory=dict)
    alone: list[Parts] = field(default_factory=list)

    @property
    def paired(self) -> int:
        """How many pictures have a mask."""
        return sum(bool(found) for found in self.masks.values())


def sample(root: Path) -> list[Parts]:
    """Pictures in the first folders under `root`, some of each."""
    found: list[Parts] = []
    for parts in _folders(root):
        files = [item for item in _files(root.joinpath(*parts)) if IMAGE.has(item)]
        found += [(*parts, item) for item in files[:_FILES]]
    return found


def pair(files: Iterable[Parts]) -> Pairs:
    """The masks among `files` beside their pictures.

    A mask stands in a folder that says so (`masks`, `trainannot`, `1st_manual`) or says so itself (`x_mask`,
    `x_1stHO`) beside `x`. Pictures and masks have the same folders but for that word, or names that stand once.
    """
    listed = list(files)
    beside = {(parts[:-1], _stem(parts).casefold()) for parts in listed}
    masks = [parts for parts in listed if _is_mask(parts, beside)]
    told = set(masks)
    pairs = Pairs({parts: {} for parts in listed if parts not in told})
    keys: dict[Key, Parts] = {}
    stems: dict[str, list[Parts]] = defaultdict(list)
    for parts in pairs.masks:
        keys[_key(parts, _bare(_stem(parts)))] = parts
        stems[_bare(_stem(parts)).casefold()].append(parts)
    for parts in masks:
        picture, who = _picture(parts, keys, stems)
        if picture is None:
            pairs.alone.append(parts)
        else:
            pairs.masks[picture].setdefault(who, parts)
    return pairs


def _picture(parts: Parts, keys: dict[Key, Parts], stems: dict[str, list[Parts]]) -> tuple[Parts | None, str]:
    """The picture of a mask, and who drew it: the end of its name, or its folder where that tells."""
    stem = _stem(parts)
    ending = _MASK_STEM.fullmatch(stem)
    names = [(_bare(stem), _folder_word(parts))] + ([(_bare(ending[1]), ending[2])] if ending else [])
    for name, who in names:
        found = keys.get(_key(parts, name))
        if found:
            return found, who
    for name, who in names:
        places = stems.get(name.casefold(), [])
        if len(places) == 1:
            return places[0], who
    return None, ""


def _is_mask(parts: Parts, beside: set[tuple[Parts, str]]) -> bool:
    if any(_MASK_FOLDER.fullmatch(folder) for folder in parts[:-1]):
        return True
    ending = _MASK_STEM.fullmatch(_stem(parts))
    if not ending:
        return False
    bases = (ending[1], *(f"{ending[1]}_{word}" for word in ("image", "img", "sat")))
    return any((parts[:-1], base.casefold()) in beside for base in bases)


def _key(parts: Parts, name: str) -> Key:
    folders = [_without(folder) for folder in parts[:-1]]
    return tuple(folder for folder in folders if folder), name.casefold()


def _without(folder: str) -> str:
    """A folder's name without the word for masks or pictures, in small letters."""
    found = _MASK_FOLDER.fullmatch(folder) or _IMAGE_FOLDER.fullmatch(folder)
    return (found[1] if found else folder).casefold()


def _folder_word(parts: Parts) -> str:
    return next((found[2] for folder in reversed(parts[:-1]) if (found := _MASK_FOLDER.fullmatch(folder))), "")


def _bare(stem: str) -> str:
    found = _IMAGE_STEM.fullmatch(stem)
    return found[1] if found else stem


def _stem(parts: Parts) -> str:
    return os.path.splitext(parts[-1])[0]


def _folders(root: Path) -> list[Parts]:
    """Folders under `root`, the upper ones first."""
    found: list[Parts] = [()]
    for parts in found:
        if len(found) < _FOLDERS and len(parts) < 4:
            below = (item.name for item in _names.visible(root.joinpath(*parts))[:5000] if _is_folder(item))
            found += [(*parts, name) for name in below][:_FOLDERS]
    return found[:_FOLDERS]


def _is_folder(path: Path) -> bool:
    return not IMAGE.has(path.name) and os.path.isdir(path)


def _files(folder: Path) -> Sequence[str]:
    return [item.name for item in _names.visible(folder)]
