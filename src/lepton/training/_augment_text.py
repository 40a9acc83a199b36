"""Augmentation of texts: some of their tokens or n-grams are hidden.

Word dropout (Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods", 2015). Shapes: B batch, T tokens,
N n-grams.
"""

from torch import Generator, Tensor, rand

_TOKENS = 0.2
_NGRAMS = 0.6
_MOST = 0.9


def augment(arrays: dict[str, Tensor], generator: Generator, *, strength: float) -> dict[str, Tensor]:
    """Give changed copies of a batch's arrays; equal generators give equal results.

    Of "attention_mask" (B, T) a share of 0.2 times `strength` becomes 0, never the first token; of "weights" (B, N) a
    share of 0.6 times `strength`, and what stays is made larger so that sums keep their expected value. At most nine
    tenths are hidden. Other arrays stay as they are.
    """
    if strength <= 0:
        return arrays
    changed = dict(arrays)
    if "attention_mask" in arrays:
        changed["attention_mask"] = _masked(arrays["attention_mask"], min(_TOKENS * strength, _MOST), generator)
    if "weights" in arrays:
        changed["weights"] = _thinned(arrays["weights"], min(_NGRAMS * strength, _MOST), generator)
    return changed


def _masked(mask: Tensor, share: float, generator: Generator) -> Tensor:
    kept = _kept(mask, share, generator)
    kept[:, 0] = True
    return mask * kept.to(mask.dtype)


def _thinned(weights: Tensor, share: float, generator: Generator) -> Tensor:
    return weights * _kept(weights, share, generator).to(weights.dtype) / (1 - share)


def _kept(like: Tensor, share: float, generator: Generator) -> Tensor:
    drawn = rand(like.shape, generator=generator, device=generator.device)
    return (drawn >= share).to(like.device)
