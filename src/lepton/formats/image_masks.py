"""Pictures with masks: folders of both, or files side by side; masks of indices, of two values or of colours."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from lepton.core import pictures, plugins
from lepton.core.errors import BadInput, UserError
from lepton.core.settings import Range
from lepton.core.types import BadRecord, Mask, Reading, Record, Value
from lepton.formats import _boxes, _mask_names, _mask_pairs, _names, _pictures
from lepton.formats._media import IMAGE, Parts, file_record, walk
from lepton.formats._pattern import Pattern, compile_pattern
from lepton.formats._text import several, some

MODALITY = "image"
LABELS = "masks"

_RULE = "A mask stands in a folder such as masks, or is named as its picture is and x_mask, x_gt, x_1stHO or the like"
_LOOKED_AT = 200
_MOST = 1000


def sniff(path: Path) -> bool:
    """Whether `path` is a folder in which at least half of the pictures have a mask."""
    if not path.is_dir():
        return False
    found = _mask_pairs.pair(_mask_pairs.sample(path))
    return found.paired > 0 and 2 * found.paired >= len(found.masks)


def read(
    path: Path,
    *,
    label: str | None = None,
    pattern: str | None = None,
    classes: list[str] | None = None,
    ignore: Annotated[int, Range(0)] | None = None,
) -> Reading:
    """Read one record a picture, named by its place: `train/images/0001.jpg`; pictures are not opened.

    The names of folders give the splits. `classes` names the values of masks in their order, else a file such as
    `classes.txt` or `class_dict.csv` does; without names the values that stand in up to 200 masks are the classes.
    `ignore` is an index of no class. Of several masks of a picture `label` chooses one by the end of its name
    (`1stHO`), the others are fields (`mask_2ndHO`). `pattern` gives the fields in the names of pictures. One without a
    mask is a bad record. Raises UserError for what is no such folder.
    """
    path = _boxes.root(path)
    found = _mask_pairs.pair(walk(path, IMAGE).files)
    if not found.paired:
        raise UserError(f"{path} holds no pictures with masks", rule=_RULE)
    who = _chosen(found, label)
    means = _meaning(
        path, [path.joinpath(*masks[who]) for masks in found.masks.values() if who in masks], (classes, ignore)
    )
    one = _Pass(path, who, means, compile_pattern(pattern) if pattern else None)
    made = (one.record(parts, masks) for parts, masks in found.masks.items())
    counted = {
        f"masks without a picture, such as {some(['/'.join(item) for item in found.alone], 2)}": len(found.alone)
    }
    return _boxes.reading(made, counted, [means.note] if means.note else [])


def write(records: Iterable[Record], place: Path) -> None:
    """Write `train/images`, `train/masks` and so on, and what the values mean as `classes.txt`.

    Masks are copied as they are. Raises UserError for a record that is no picture with a mask, and where the values of
    one mean something else than those before it.
    """
    copies = _pictures.Copies()
    means: _mask_names.Meaning | None = None
    for record in records:
        mask = record.label
        if not isinstance(mask, Mask):
            raise UserError(
                f"Record {record.id} cannot be written as pictures with masks", rule="Its label must be a mask"
            )
        means = means or _mask_names.Meaning(mask.classes, mask.ignored)
        if (mask.classes, mask.ignored) != (means.classes, means.ignored):
            raise UserError(f"The mask of {record.id} has other classes than those before it", rule="All have the same")
        folder = place / record.split if record.split else place
        picture = copies.add(record, folder / "images")
        copies.mask(Path(mask.path), folder / "masks" / picture.stem)
    if means:
        _mask_names.write(means, place)


@dataclass(frozen=True, slots=True)
class _Pass:
    """What is the same for all pictures of a reading."""

    root: Path
    who: str
    means: _mask_names.Meaning
    pattern: Pattern | None

    def record(self, parts: Parts, masks: dict[str, Parts]) -> Record | BadRecord:
        """The record of one picture."""
        identity = "/".join(parts)
        path = self.root.joinpath(*parts)
        if self.who not in masks:
            return BadRecord(identity, "has no mask")
        mask = self.root.joinpath(*masks[self.who])
        wrong = file_record(path, identity) or file_record(mask, identity)
        fields = self.pattern.match(identity) if self.pattern else {}
        if wrong or fields is None:
            return wrong or BadRecord(
                identity, f"the name does not fit the pattern {self.pattern.text if self.pattern else ''}"
            )
        others = {f"mask_{who}": "/".join(item) for who, item in masks.items() if who != self.who}
        label = Mask(str(mask), self.means.classes, self.means.ignored)
        return Record(identity, path, label, _split(parts[:-1]), {**fields, **others})


def _split(folders: Sequence[str]) -> str | None:
    """The split that a folder is named after, the inner ones first: `train`, `train_images`."""
    words = (_names.split_word(part) or _names.split_word(part.split("_")[0]) for part in reversed(folders))
    return next(filter(None, words), None)


def _chosen(found: _mask_pairs.Pairs, label: str | None) -> str:
    """Whose masks are the labels: as asked, else of those who drew the most the first by name."""
    counts = Counter(who for masks in found.masks.values() for who in masks)
    if label is None:
        return min(counts, key=lambda who: (-counts[who], who))
    if label not in counts:
        raise plugins.unknown("kind of mask in [data.label]", label, list(counts))
    return label


def _meaning(root: Path, masks: Sequence[Path], given: tuple[list[str] | None, int | None]) -> _mask_names.Meaning:
    names, ignore = given
    looked_at = masks[:: max(1, len(masks) // _LOOKED_AT)][:_LOOKED_AT]
    named, file = (tuple(enumerate(names)), "the settings") if names else _mask_names.stated(root)
    coloured = any(isinstance(value, tuple) for value, _ in named)
    seen = [] if coloured else _seen(looked_at)
    means = _mask_names.meaning(seen, named, [] if ignore is None else [ignore])
    told = some([name for _, name in means.classes], 12)
    where = f"named by {file}" if named else f"the values in {several(len(looked_at), 'mask')}"
    void = f"; {some(means.ignored)} count nowhere" if means.ignored else ""
    return _mask_names.Meaning(means.classes, means.ignored, f"classes of the masks, {where}: {told}{void}")


def _seen(masks: Sequence[Path]) -> list[Value]:
    """The values that occur, in their order: colours where there is one that is not grey."""
    counts: Counter[int] = Counter()
    for values in _read(masks):
        numbers, times = np.unique(values, return_counts=True)
        counts.update(dict(zip(numbers.tolist(), times.tolist(), strict=True)))
    if not counts:
        raise UserError("None of the masks can be read", rule="They are pictures", received=masks[0])
    if any(map(pictures.is_lossy, masks)):
        return _two(counts, masks)
    if len(counts) > _MOST:
        rule = f"At most {_MOST} values are taken for classes"
        raise UserError(f"The masks have {len(counts):,} values", rule=rule, received=masks[0], remedy=_SAVE)
    found = [pictures.unpack(number) for number in sorted(counts)]
    if not any(isinstance(value, tuple) for value in found):
        return found
    return sorted((value, value, value) if isinstance(value, int) else value for value in found)


_SAVE = "Save masks without loss, as PNG, with one value a class"


def _two(counts: Counter[int], masks: Sequence[Path]) -> list[Value]:
    if not _mask_names.ends(counts.items()):
        rule = "JPEG blurs the values of masks, and only black and white can be told apart without a list of colours"
        raise UserError("The masks cannot be understood", rule=rule, received=masks[0], remedy=_SAVE)
    return [0, 255]


def _read(masks: Sequence[Path]) -> Iterator[np.ndarray]:
    for path in masks:
        try:
            yield pictures.values(path)
        except BadInput:
            continue  # the check mask_faults names it
