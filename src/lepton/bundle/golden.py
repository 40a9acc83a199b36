"""Golden answers: raw inputs that travel with the app, and what it answered where it was built."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from lepton.bundle.manifest import Bundle
from lepton.core.errors import UserError
from lepton.core.types import Raw

ANSWERS = "golden/answers.json"
_MAGIC = {
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpg",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"RIFF": "wav",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"ID3": "mp3",
}


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One raw input (a path in the folder), the answer expected, and how far a score may be from it.

    Of an app with adapters, `adapter` names the one that gives the answer.
    """

    input: str
    answer: Any
    tolerance: float = 1e-3
    adapter: str = ""


Answered = Sequence[tuple[Raw, Any]]
"""Raw inputs with the answers expected."""


def files(raws: Sequence[Raw], answers: Sequence[Any], *, tolerance: float = 1e-3) -> dict[str, bytes]:
    """The files of golden answers, path to bytes, to be given to `bundle.manifest.write`."""
    inputs, items = _kept("golden/inputs", list(zip(raws, answers, strict=True)), {"tolerance": tolerance})
    return {**inputs, ANSWERS: _encoded(items)}


def files_by_adapter(answered: Mapping[str, Answered], *, tolerance: float = 1e-3) -> dict[str, bytes]:
    """The same of an app with adapters: what each of them answers, by its name."""
    kept = [
        _kept(f"golden/inputs/{name}", pairs, {"tolerance": tolerance, "adapter": name})
        for name, pairs in answered.items()
    ]
    inputs = {path: data for each, _ in kept for path, data in each.items()}
    return {**inputs, ANSWERS: _encoded([item for _, items in kept for item in items])}


def _kept(folder: str, pairs: Answered, more: Mapping[str, Any]) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """The files of some raw inputs, and what is written of each."""
    names = [f"{folder}/{index}.{_suffix(raw)}" for index, (raw, _) in enumerate(pairs)]
    inputs = {name: raw.encode() if isinstance(raw, str) else raw for name, (raw, _) in zip(names, pairs, strict=True)}
    return inputs, [{"input": name, "answer": answer, **more} for name, (_, answer) in zip(names, pairs, strict=True)]


def _encoded(items: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps(items, indent=1, ensure_ascii=False).encode() + b"\n"


def read(bundle: Bundle) -> list[tuple[Raw, Golden]]:
    """The golden inputs of an app (text where the file is .txt) and their answers; none where it has none.

    Of an app with adapters they are those of the one that is chosen.
    """
    if ANSWERS not in bundle.manifest.files:
        return []
    data = bundle.path(ANSWERS).read_bytes()
    try:
        items = msgspec.json.decode(data, type=list[Golden])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{ANSWERS} cannot be read", rule=str(error), remedy="Package the app again") from error
    return [(_raw(bundle, item.input), item) for item in items if item.adapter == bundle.adapter]


def differences(expected: Any, found: Any, tolerance: float) -> Iterator[str]:
    """Where two answers differ: decisions must be equal, numbers may be `tolerance` apart.

    A ranking (`[{"label", "score"}, ...]`, each label once) must have the same first label; the rest may change places.
    """
    if _is_ranking(expected) and _is_ranking(found):
        yield from _ranking(expected, found, tolerance)
    elif isinstance(expected, Mapping) and isinstance(found, Mapping):
        yield from _tables(expected, found, tolerance)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for one, other in zip(expected, found, strict=True):
            yield from differences(one, other, tolerance)
    elif not _close(expected, found, tolerance):
        yield f"{_short(found)} instead of {_short(expected)}"


def _ranking(expected: list[Any], found: list[Any], tolerance: float) -> Iterator[str]:
    if expected[0]["label"] != found[0]["label"]:
        yield f"the decision is {found[0]['label']!r} instead of {expected[0]['label']!r}"
    scores = {item["label"]: item["score"] for item in found}
    for item in expected:
        score = scores.get(item["label"])
        if not _close(item["score"], score, tolerance):
            yield f"the score of {item['label']!r} is {_short(score)} instead of {_short(item['score'])}"


def _tables(expected: Mapping[str, Any], found: Mapping[str, Any], tolerance: float) -> Iterator[str]:
    for key in expected.keys() | found.keys():
        yield from differences(expected.get(key), found.get(key), tolerance)


def _is_ranking(answer: Any) -> bool:
    if not isinstance(answer, list) or not answer:
        return False
    labels = [item["label"] for item in answer if isinstance(item, Mapping) and set(item) == {"label", "score"}]
    return len(labels) == len(answer) == len(set(labels))


def _close(expected: Any, found: Any, tolerance: float) -> bool:
    numbers = isinstance(expected, int | float) and isinstance(found, int | float)
    if numbers and not isinstance(expected, bool) and not isinstance(found, bool):
        return bool(abs(expected - found) <= tolerance)
    return bool(expected == found)


def _raw(bundle: Bundle, name: str) -> Raw:
    data = bundle.path(name).read_bytes()
    return data.decode() if name.endswith(".txt") else data


def _suffix(raw: Raw) -> str:
    if isinstance(raw, str):
        return "txt"
    return next((suffix for magic, suffix in _MAGIC.items() if raw.startswith(magic)), "bin")


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else repr(value)[:80]
