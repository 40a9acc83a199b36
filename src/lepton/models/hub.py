"""A model of the Hugging Face hub, by local folder or id, under a fresh head or its own: text, images or sound.

Weights must be safetensors; code that comes with a model is never run. Shapes: B batch, T tokens, C classes, H height,
W width, F frames, M mel bands.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.models import _brought, _processor, _sequence
from lepton.models._brought import Brought
from lepton.models._network import Scaling, normalisation
from lepton.models._objectives import CLASSES, TAGS
from lepton.models._shape import Shape

TRANSFORMS = {"text": "tokens", "image": "image", "audio": "logmel"}
OBJECTIVES = {
    "text-classification": CLASSES,
    "token-classification": TAGS,
    "image-classification": CLASSES,
    "audio-classification": CLASSES,
}
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
TRAIN: Mapping[str, Any] = MappingProxyType(
    {"lr": 1e-4, "schedule": "cosine", "warmup": 0.1, "epochs": 5, "augment": 0.2}
)

_CONFIG = "config.json"
_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model"]
_WIDTHS = ("hidden_size", "d_model", "dim", "num_features")
_PICKLES = ("*.bin", "*.pt", "*.pth")
_HEADS = {
    "text-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "image-classification": "AutoModelForImageClassification",
    "audio-classification": "AutoModelForAudioClassification",
}


def build(
    shape: Shape,
    *,
    hub: str,
    pool: Literal["mean", "first"] = "mean",
    dropout: Annotated[float, Range(0, 0.9)] = 0.1,
    pretrained: bool = True,
    head: Literal["fresh", "kept"] = "fresh",
    classes: list[str] | None = None,
) -> nn.Module:
    """Make the hub's model `hub` (a local folder or an id) with a linear head; it takes the arrays of its transform.

    It gives logits (B, C), or (B, T, C) for token-classification. `pool`: the mean of the states, or the first one
    (the class token of BERT and ViT). `pretrained` false takes the architecture with fresh weights. `head` "kept"
    takes the head that the model was saved with, as trained; `classes` then names its outputs in their order (for
    entities: tags), where its own names (id2label) are not the data's. Raises UserError when the model is not there,
    has no safetensors, no head to keep or one of another size, or needs code of its own.
    """
    folder = located(hub)
    if head == "kept" and not pretrained:
        raise UserError(
            "[model.pretrained] is false", rule="A kept head comes with its weights", received='head = "kept"'
        )
    if head == "kept":
        return _Kept(_headed(folder, shape), shape, classes or _brought.labels(folder))
    body = _body(folder, pretrained)
    _knows_tokens(folder, body, shape.vocabulary)
    return _HubNet(body, shape, pool=pool, dropout=dropout)


def transform(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The transform that the model of `settings` ("hub" names it) was trained with, and its settings."""
    folder = located(settings["hub"])
    config = _config(folder)
    reads = _reads(folder)
    if reads == "pixel_values":
        resize = {"resize": _processor.resize(folder)} if settings.get("head") == "kept" else {}
        side = _processor.side(folder, getattr(config, "image_size", 224))
        return "image", {"size": side, "channels": int(getattr(config, "num_channels", 3)), **resize}
    if reads in ("input_features", "input_values"):
        return "logmel", _mels(folder, config)
    longest = getattr(config, "max_position_embeddings", 512)
    return "tokens", {"tokenizer": str(folder), "max_length": min(int(longest), 512)}


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """The settings as they are: the size of a hub model comes with its weights."""
    return dict(settings)


def bring(path: Path) -> dict[str, Any] | None:
    """The settings that stand for a folder with a hub model and its weights, its head kept; None for anything else."""
    weights = [each for pattern in ("*.safetensors", *_PICKLES) for each in path.glob(pattern)]
    return {"hub": str(path.resolve()), "head": "kept"} if (path / _CONFIG).is_file() and weights else None


def brought(settings: Mapping[str, Any]) -> Brought:
    """What the model of `settings` tells of itself: the task of its head where that is kept, and its files."""
    folder = located(settings["hub"])
    heads = getattr(_config(folder), "architectures", None) or () if settings.get("head") == "kept" else ()
    tasks = [
        task for task, head in _HEADS.items() if any(name.endswith(head.removeprefix("AutoModel")) for name in heads)
    ]
    return Brought(
        folder.name, tasks[0] if tasks else "", sorted({*folder.glob("*.json"), *folder.glob("*.safetensors")})
    )


def scaling(settings: Mapping[str, Any], samples: Iterable[np.ndarray]) -> Scaling | None:
    """What a kept head was trained with: of pixels what the preprocessor's file says; else what the samples say."""
    if settings.get("head") != "kept":
        return normalisation(samples)
    folder = located(settings["hub"])
    return _processor.pixels(folder) if _reads(folder) == "pixel_values" else normalisation(samples)


def align(body: nn.Module, classes: Sequence[str]) -> None:
    """Put the outputs of a kept head into the order of the data's classes. Raises UserError where names do not fit."""
    if isinstance(body, _Kept):
        body.order.copy_(torch.tensor(_brought.order(body.names, _brought.outputs(body.task, classes))))


def located(hub: str) -> Path:
    """The folder of a hub model: `hub` itself, or the local copy of that id, fetched when there is none.

    Raises UserError when it is neither, or cannot be fetched.
    """
    folder = Path(hub).expanduser()
    if folder.is_dir():
        return _complete(folder)
    if folder.exists() or folder.is_absolute() or hub.startswith(".") or hub.count("/") > 1:
        raise UserError("[model.hub] is not there", rule="It must be a folder or an id of the hub", received=hub)
    return _complete(_fetched(hub))


def _fetched(hub: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub, allow_patterns=_WANTED, local_files_only=True))
    except HFValidationError as error:
        raise UserError("[model.hub] is no id of the hub", rule=str(error), received=hub) from error
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(hub, allow_patterns=_WANTED))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        remedy = "Check the id and the connection, or give the path of a folder with the model"
        raise UserError(
            "The hub model cannot be fetched", rule=str(error).splitlines()[0], received=hub, remedy=remedy
        ) from error


def _complete(folder: Path) -> Path:
    if not (folder / _CONFIG).is_file():
        raise UserError(
            f"{folder} is not a hub model", rule=f"It must hold {_CONFIG}", remedy="Save one with save_pretrained"
        )
    return folder


def _weighty(folder: Path) -> None:
    """Refuse a folder without safetensors; other weights are pickles, which run code when they are read."""
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    raise UserError(
        f"{folder} has no safetensors weights",
        rule="Pickled weights run code when they are read" if pickles else "It must hold model.safetensors",
        received=", ".join(pickles) or None,
        remedy="Convert them with save_pretrained(..., safe_serialization=True), or set pretrained = false",
    )


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{folder / _CONFIG} describes no model that can be used",
            rule=str(error).splitlines()[0],
            remedy="Models that bring their own code are not run; take one that transformers has built in",
        ) from error


def _body(folder: Path, pretrained: bool) -> nn.Module:
    from transformers import AutoModel

    config = _config(folder)
    if pretrained:
        made, _ = _loaded(folder, "AutoModel")
    else:
        with _quiet():
            made = AutoModel.from_config(config, trust_remote_code=False)
    return made.get_encoder() if config.is_encoder_decoder else made


def _knows_tokens(folder: Path, body: Any, tokens: int) -> None:
    """Refuse a tokenizer that makes tokens which the model has no vector for."""
    known = body.get_input_embeddings().num_embeddings if body.main_input_name == "input_ids" else tokens
    if tokens > known:
        raise UserError(
            "The tokenizer does not fit the model",
            rule=f"{folder} has vectors for {known} tokens",
            received=f"a tokenizer of {tokens}",
            remedy="Leave data.transform out, and the model's own is taken",
        )


def _headed(folder: Path, shape: Shape) -> Any:
    """The model with the head that it was saved with, of as many outputs as the data need."""
    made, missing = _loaded(folder, _HEADS[shape.task])
    if missing:
        raise UserError(
            f"{folder} has no trained head for {shape.task}",
            rule="A head is kept as it was saved",
            received=f"no weights for {', '.join(missing[:4])}",
            remedy='Train one: head = "fresh" in [model], with lepton run',
        )
    if made.config.num_labels != shape.outputs:
        raise UserError(
            f"{folder} has another number of outputs than the data need",
            rule=f"{shape.outputs} are needed: one a class, or for entities O and two tags a type",
            received=made.config.num_labels,
            remedy="Give data with the model's classes, or train a fresh head",
        )
    return made


def _loaded(folder: Path, kind: str) -> tuple[Any, list[str]]:
    """The model of a class of transformers by name, with its saved weights, and the weights that were not there."""
    import transformers
    from safetensors import SafetensorError

    _config(folder)
    _weighty(folder)
    how = {"local_files_only": True, "trust_remote_code": False, "use_safetensors": True, "output_loading_info": True}
    with _quiet():
        try:
            made, told = getattr(transformers, kind).from_pretrained(folder, **how)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise UserError(f"The model in {folder} cannot be read", rule=str(error).splitlines()[0]) from error
    return made, sorted(told["missing_keys"])


def _reads(folder: Path) -> str:
    """The name of the model's main input, as transformers has it."""
    from transformers import MODEL_MAPPING

    config = _config(folder)
    if type(config) not in MODEL_MAPPING:
        raise UserError(f"{folder} holds no model with features", received=config.model_type)
    model: Any = MODEL_MAPPING[type(config)]
    return str(model.main_input_name)


class _HubNet(nn.Module):
    """The hub's model, its states pooled, and a linear head."""

    def __init__(self, body: nn.Module, shape: Shape, *, pool: str, dropout: float) -> None:
        super().__init__()
        self.body = body
        self.reads = str(body.main_input_name)
        self.tags = shape.task == "token-classification"
        self.first = pool == "first"
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(_width(body.config), shape.outputs)

    def forward(self, first: Tensor, mask: Tensor | None = None) -> Tensor:
        given = {self.reads: first} if mask is None else {self.reads: first, "attention_mask": mask}
        states = self.body(**given, return_dict=True).last_hidden_state
        if self.tags:
            return self.head(self.dropout(states))
        return self.head(self.dropout(_pooled(states, mask, self.first)))


class _Kept(nn.Module):
    """A hub model with its own head, the outputs in the order of the data's classes."""

    order: Tensor

    def __init__(self, body: nn.Module, shape: Shape, names: Sequence[str] | None) -> None:
        super().__init__()
        self.body, self.task, self.names = body, shape.task, names
        self.reads = str(body.main_input_name)
        self.register_buffer("order", torch.arange(shape.outputs))

    def forward(self, first: Tensor, mask: Tensor | None = None) -> Tensor:
        given = {self.reads: first} if mask is None else {self.reads: first, "attention_mask": mask}
        return self.body(**given, return_dict=True).logits.index_select(-1, self.order)


def _pooled(states: Tensor, mask: Tensor | None, first: bool) -> Tensor:
    """(B, D) of maps (B, D, H, W) or of states (B, T, D)."""
    if states.ndim == 4:
        return states.mean((2, 3))
    if first:
        return states[:, 0]
    return states.mean(1) if mask is None else _sequence.mean(states, mask)


def _width(config: Any) -> int:
    sizes = getattr(config, "hidden_sizes", None)
    if sizes:
        return int(sizes[-1])
    return int(next(getattr(config, name) for name in _WIDTHS if hasattr(config, name)))


def _mels(folder: Path, config: Any) -> dict[str, Any]:
    """Bands and length of a model that reads spectra; those that read waves are not served."""
    bands = getattr(config, "num_mel_bins", None)
    if bands is None:
        raise UserError(
            f"{folder} reads waves, not spectra",
            rule="Sound reaches models as log-mel features",
            received=config.model_type,
            remedy="Take a model over spectra, such as an audio spectrogram transformer",
        )
    frames = getattr(config, "max_length", None) or 2 * getattr(config, "max_source_positions", 500)
    return {"mels": int(bands), "rate": 16_000, "seconds": round(frames * 0.01 + 0.015, 3)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Loading tells of heads that are left out, which is meant, and draws bars, which a library should not."""
    from transformers.utils import logging as transformers_logging

    logger = logging.getLogger("transformers")
    level, bars = logger.level, transformers_logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
        if bars:
            transformers_logging.enable_progress_bar()
