"""Leaving out the tokens that a task never meets: of a pretrained encoder half is a table of words of the whole web.

Abdaoui et al., "Load What You Need: Smaller Versions of Multilingual BERT" (2020). Texts of kept tokens are answered
exactly as before; words that were left out are spelled in smaller pieces.
"""

import copy
import json
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from torch import nn

from lepton.compress._candidate import Candidate, Context
from lepton.compress._networks import copied
from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.transforms._fitted import Fitted

TAKES, GIVES = ("network",), "network"
TRAINS = False
AUTO: tuple[Mapping[str, Any], ...] = ({},)

_FILE = "tokenizer.json"
_ALL = 10**9


def compress(
    candidate: Candidate, context: Context, *, common: Annotated[int, Range(0, 1_000_000)] = 4000
) -> Candidate:
    """Keep the tokens of the training texts, the `common` first ones, the special ones, and single letters.

    The first ids of published vocabularies are those of the most frequent words. Raises UserError where the candidate
    reads no tokens, or its tokenizer is neither WordPiece nor BPE.
    """
    name, fitted = candidate.transform
    if _FILE not in fitted.files or name != "tokens":
        raise UserError("There is no vocabulary to trim", rule="The model must read tokens", received=name)
    tokenizer = json.loads(fitted.files[_FILE])
    seen = {int(index) for sample in context.workshop.samples(candidate, _ALL) for index in sample["input_ids"]}
    kept = _closed(tokenizer, seen | _always(tokenizer, common))
    network = _trimmed(candidate, kept)
    trimmed = _renumbered(tokenizer, {old: new for new, old in enumerate(kept)})
    settings = {**fitted.settings, "vocabulary": len(kept), "padding": kept.index(fitted.settings["padding"])}
    files = {**fitted.files, _FILE: json.dumps(trimmed, ensure_ascii=False, separators=(",", ":")).encode()}
    shape = {**candidate.described["shape"], "vocabulary": len(kept), "settings": dict(settings)}
    found = candidate.with_network(network, shape=shape)
    return Candidate(found.described, (name, Fitted(settings, files)), found.network, None, found.batchable)


def _always(tokenizer: Mapping[str, Any], common: int) -> set[int]:
    """Ids that stay whatever the texts hold: special tokens, common ones, and the letters that spell any word."""
    vocabulary: Mapping[str, int] = tokenizer["model"]["vocab"]
    special = {item["id"] for item in tokenizer["added_tokens"]}
    prefix = tokenizer["model"].get("continuing_subword_prefix") or ""
    letters = {vocabulary.get(mark + letter) for letter in string.printable for mark in ("", prefix)}
    first = {index for token, index in vocabulary.items() if index < common and not token.startswith("[unused")}
    return {index for index in special | letters | first if index is not None}


def _closed(tokenizer: Mapping[str, Any], ids: set[int]) -> list[int]:
    """The ids in order, with those that merges make them from."""
    kind = tokenizer["model"]["type"]
    if kind == "WordPiece":
        return sorted(ids)
    if kind != "BPE":
        raise UserError("The vocabulary cannot be trimmed", rule="It must be WordPiece or BPE", received=kind)
    vocabulary, names = tokenizer["model"]["vocab"], set()
    parts = {_merged(tokenizer, pair): pair for pair in map(tuple, tokenizer["model"]["merges"])}
    waiting = [token for token, index in vocabulary.items() if index in ids]
    while waiting:
        token = waiting.pop()
        if token not in names:
            names.add(token)
            waiting += parts.get(token, ())
    return sorted({vocabulary[token] for token in names if token in vocabulary} | ids)


def _merged(tokenizer: Mapping[str, Any], pair: Sequence[str]) -> str:
    prefix = tokenizer["model"].get("continuing_subword_prefix") or ""
    return pair[0] + pair[1].removeprefix(prefix)


def _trimmed(candidate: Candidate, kept: Sequence[int]) -> nn.Module:
    """A copy of the network whose tables of the whole vocabulary have the rows kept, in their order."""
    network = copied(candidate)
    rows = int(candidate.described["shape"]["vocabulary"])
    tables = [part for part in _tables(network) if part.num_embeddings == rows]
    if not tables or len(kept) >= rows:
        rule = "There must be a table with a row for each token, and tokens that the texts do not need"
        raise UserError("There is no vocabulary to trim", rule=rule, received=f"{len(kept)} of {rows} are needed")
    index = torch.from_numpy(np.array(kept, np.int64))
    for table in tables:
        table.weight = nn.Parameter(table.weight.detach()[index].clone())
        table.num_embeddings = len(kept)
        if table.padding_idx is not None:
            table.padding_idx = list(kept).index(table.padding_idx)
    return network


def _tables(network: nn.Module) -> Iterator[nn.Embedding]:
    return (part for part in network.modules() if isinstance(part, nn.Embedding))


def _renumbered(tokenizer: Mapping[str, Any], new: Mapping[int, int]) -> dict[str, Any]:
    """The tokenizer with the ids of `new` alone."""
    made = copy.deepcopy(dict(tokenizer))
    model = made["model"]
    model["vocab"] = {token: new[index] for token, index in model["vocab"].items() if index in new}
    if "merges" in model:
        pairs = [pair for pair in map(tuple, model["merges"]) if _merged(tokenizer, pair) in model["vocab"]]
        model["merges"] = [list(pair) for pair in pairs if all(part in model["vocab"] for part in pair)]
    for item in made["added_tokens"]:
        item["id"] = new[item["id"]]
    if made.get("padding"):
        made["padding"]["pad_id"] = new[made["padding"]["pad_id"]]
    if made.get("post_processor"):
        _renumber_specials(made["post_processor"], new)
    return made


def _renumber_specials(processor: dict[str, Any], new: Mapping[int, int]) -> None:
    """Special tokens stand in the post-processor too, by id: BERT's by name, a template's in a table. In place."""
    for name in ("sep", "cls"):
        if isinstance(processor.get(name), list):
            token, index = processor[name]
            processor[name] = [token, new[index]]
    for item in (processor.get("special_tokens") or {}).values():
        item["ids"] = [new[index] for index in item["ids"]]
    for inner in processor.get("processors") or ():
        _renumber_specials(inner, new)
