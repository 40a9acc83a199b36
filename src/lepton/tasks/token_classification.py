"""The entities of a text: where each begins and ends, its type and a probability.

Shapes: B batch, T tokens, C entity types; 2 C + 1 tags O, B-x, I-x, B-y, ... (Ramshaw and Marcus, 1995).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lepton.core.errors import UserError
from lepton.core.labels import spans
from lepton.core.types import Arrays, Label, Raw
from lepton.tasks._classification import in_order, softmax

MODALITY = "text"
METRICS = ("f1", "exact_match")

Answer = Sequence[Mapping[str, Any]]
"""The entities in their order, each {"entity_group", "score", "word", "start", "end"}."""

_FORBIDDEN = -1e9


def classes(labels: Iterable[Label]) -> list[str]:
    """The entity types that occur, in order. Raises UserError when there is none."""
    found = in_order(span.label for label in labels for span in spans(label))
    if not found:
        rule = "At least one text must have an entity of some type"
        raise UserError("There are no entities in the training data", rule=rule, remedy="Check the tags of the source")
    return found


def answer(run: Callable[[Arrays], Arrays], arrays: Arrays, settings: Mapping[str, Any]) -> list[Answer]:
    """The entities of each text, as {"entity_group", "score", "start", "end"} in characters; `finish` adds the words.

    `run` gives "logits" (B, T, 2 C + 1); `arrays` has "offsets" (B, T, 2) and "attention_mask" (B, T) besides.
    An entity begins at a B tag, and at an I tag that does not go on with the type before it; its score is the mean
    probability of its tags. `settings["decode"]`: `constrained` (default false) takes the likeliest sequence of tags
    in which no I follows anything but its own type, instead of the likeliest tag at each place. What was cut off a
    long text has no entities.
    """
    names, decode = settings["classes"], settings.get("decode") or {}
    chances = softmax(run(arrays)["logits"])
    choose = best_path if decode.get("constrained") else _best_tags
    return [
        _entities(rows[seen], offsets[seen], (names, choose))
        for rows, offsets, seen in zip(chances, arrays["offsets"], _real(arrays), strict=True)
    ]


def brief(answer: Answer) -> Answer:
    """All entities: there is nothing to leave out."""
    return answer


def finish(answer: Answer, raw: Raw) -> Answer:
    """The entities with their `word`, the characters of the raw text that they cover."""
    text = raw if isinstance(raw, str) else raw.decode("utf-8-sig", errors="replace")
    return [_worded(entity, text[entity["start"] : entity["end"]]) for entity in answer]


def best_path(chances: np.ndarray) -> np.ndarray:
    """The likeliest legal sequence of tags, int64 (T,), for probabilities (T, 2 C + 1) (Viterbi, 1967)."""
    logs = np.log(np.maximum(chances, 1e-30))
    moves = _moves(chances.shape[1])
    total = logs[0] + np.where(_is_inside(chances.shape[1]), _FORBIDDEN, 0.0)
    back = np.zeros(chances.shape, np.int64)
    for step in range(1, len(logs)):
        ways = total[:, None] + moves
        back[step] = ways.argmax(0)
        total = ways.max(0) + logs[step]
    path = [int(total.argmax())]
    for step in range(len(logs) - 1, 0, -1):
        path.append(int(back[step, path[-1]]))
    return np.array(path[::-1], np.int64)


def _best_tags(chances: np.ndarray) -> np.ndarray:
    return np.asarray(chances.argmax(1))


def _is_inside(tags: int) -> np.ndarray:
    """Which tags are I tags: bool (2 C + 1,)."""
    numbers = np.arange(tags)
    return np.asarray((numbers > 0) & (numbers % 2 == 0))


def _moves(tags: int) -> np.ndarray:
    """What it costs to go from one tag (row) to the next (column): I-x may only follow B-x and I-x."""
    before, after = np.arange(tags)[:, None], np.arange(tags)[None, :]
    legal = ~_is_inside(tags)[None, :] | (before == after) | (before == after - 1)
    return np.where(legal, 0.0, _FORBIDDEN)


def _real(arrays: Arrays) -> np.ndarray:
    """Tokens that stand for characters: neither special tokens nor padding. bool (B, T)."""
    offsets = arrays["offsets"]
    return np.asarray((arrays["attention_mask"] > 0) & (offsets[..., 1] > offsets[..., 0]))


def _entities(
    chances: np.ndarray,
    offsets: np.ndarray,
    how: tuple[Sequence[str], Callable[[np.ndarray], np.ndarray]],
) -> list[dict[str, Any]]:
    names, choose = how
    if not len(chances):
        return []
    tags = choose(chances)
    return [_entity(names[kind], chances[rows, tags[rows]], offsets[rows]) for kind, rows in _runs(tags.tolist())]


def _runs(tags: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Type and tokens of each entity. Tag 0 is O; of type k, 2 k + 1 is B and 2 k + 2 is I."""
    runs: list[tuple[int, list[int]]] = []
    open_kind = -1
    for row, tag in enumerate(tags):
        kind, inside = (tag - 1) // 2, tag > 0 and tag % 2 == 0
        if inside and kind == open_kind:
            runs[-1][1].append(row)
        elif tag:
            runs.append((kind, [row]))
        open_kind = kind if tag else -1
    return runs


def _entity(name: str, scores: np.ndarray, offsets: np.ndarray) -> dict[str, Any]:
    return {
        "entity_group": name,
        "score": float(scores.mean()),
        "start": int(offsets[0, 0]),
        "end": int(offsets[-1, 1]),
    }


def _worded(entity: Mapping[str, Any], word: str) -> dict[str, Any]:
    """The entity with its word, keys in Hugging Face's order."""
    places = {"start": entity["start"], "end": entity["end"]}
    return {"entity_group": entity["entity_group"], "score": entity["score"], "word": word, **places}
