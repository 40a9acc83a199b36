"""Adaptation: a network made ready by a method, what of it is trained, and afterwards one network again.

What was trained is an adapter, which is kept alone with the hash of the network that it belongs to.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lepton.adapt._adapted import Adapted
from lepton.core import files, ledger, plugins, seeds
from lepton.core.errors import UserError
from lepton.core.types import Arrays
from lepton.models import _heads
from lepton.stages import _model
from lepton.stages._fit import Data, Start
from lepton.stages._origin import SCALING

TOLERANCE = 1e-5
"""How far logits may move in merging, relative to the largest of them (or to 1, where they are all smaller)."""

_FORMAT = 1
_WEIGHTS, _ABOUT = "adapter.safetensors", "adapter.json"
_LOOKED_AT = 64
"""Records whose logits are compared before and after merging."""

_PROBED = 4
"""Records that show which parts of the network have a say in its answer."""


@dataclass(frozen=True)
class Adaptation:
    """A network on its way: the method's choice (`{name, settings}`), how it is trained, and what it was before.

    `base` is the hash of the network before; `weights` are all parameters of it outside the head.
    """

    choice: Mapping[str, Any]
    how: Adapted
    base: str
    weights: int
    trained: int
    head: int

    @property
    def share(self) -> float:
        """The part of the network's weights that is trained, the head apart on both sides."""
        return self.trained / max(1, self.weights)

    @property
    def told(self) -> str:
        """What is trained, in one line."""
        name, solved = self.choice["name"], "solved for" if self.how.solve else "trained"
        if not self.trained:
            return f"{name}: the head's {self.head:,} weights are {solved}, the others stay"
        count = f"{self.trained:,} weights of {self.weights:,} are trained ({100 * self.share:.3g} %)"
        layers = f" in {len(self.how.layers)} layers: {_some(self.how.layers)}" if self.how.layers else ""
        return f"{name}: {count}, and the head's {self.head:,} {solved}{layers}"

    @property
    def module(self) -> Any:
        """The method's plug-in."""
        return plugins.load("adapt", self.choice["name"])

    @property
    def whole(self) -> bool:
        """Whether all weights are trained, so that nothing less than the network would be kept of it."""
        return getattr(self.module, "WHOLE", False)


def begin(data: Data, start: Start, choice: Mapping[str, Any]) -> Adaptation:
    """Make the network of `start` ready by the chosen method, in place. Parts without a say are not trained.

    Raises UserError where the method finds nothing to adapt.
    """
    torch.manual_seed(seeds.derive(data.seed, "adapt"))
    network, head = start.network, set(_heads.head(start.network))
    base, whole = network_hash(network), _count(network, head)
    how = _model.adapted(network, choice)
    if choice["name"] != "full":
        used = _used(network, _inputs(start, data.encoded(start.transform).train[:_PROBED]))
        how = replace(how, layers=[name for name in how.layers if _holds(name, used)])
    trained = [name for name, value in network.named_parameters() if value.requires_grad]
    sizes = {name: value.numel() for name, value in network.named_parameters()}
    own = sum(sizes[name] for name in trained if name not in head)
    return Adaptation(choice, how, base, whole, own, sum(sizes[name] for name in head))


def _count(network: nn.Module, head: set[str]) -> int:
    return sum(value.numel() for name, value in network.named_parameters() if name not in head)


def _used(network: nn.Module, inputs: Sequence[Tensor]) -> set[str]:
    """The trained parameters that a gradient reaches; the others (such as BERT's pooler) are frozen, in place."""
    network.eval()
    network(*inputs).square().sum().backward()
    reached = {name for name, value in network.named_parameters() if value.grad is not None}
    for name, value in network.named_parameters():
        value.requires_grad_(value.requires_grad and name in reached)
    network.zero_grad()
    return reached


def _inputs(start: Start, samples: Sequence[Arrays]) -> list[Tensor]:
    arrays = plugins.load("transforms", start.transform[0]).collate(samples)
    return [torch.from_numpy(arrays[name]) for name in start.described["inputs"]]


def _holds(layer: str, names: set[str]) -> bool:
    return any(name.startswith(f"{layer}.") for name in names)


def finish(data: Data, start: Start, adaptation: Adaptation) -> dict[str, Any]:
    """Make the trained network one network again, in place, and compare its logits on validation records.

    Raises RuntimeError where the merged network answers otherwise.
    """
    merge = getattr(adaptation.module, "merge", None)
    if merge is None:
        return {}
    inputs = _inputs(start, data.encoded(start.transform).validation[:_LOOKED_AT])
    before = _logits(start.network, inputs)
    merge(start.network)
    after = _logits(start.network, inputs)
    largest, size = float((after - before).abs().max()), float(before.abs().max())
    if largest > TOLERANCE * max(1.0, size):
        raise RuntimeError(f"merging {adaptation.choice['name']} moved logits of up to {size:g} by {largest:g}")
    return {"largest_change": largest, "largest_logit": size, "records": len(inputs[0])}


def _logits(network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
    network.eval()
    with torch.no_grad():
        answer: Tensor = network(*inputs)
    return answer


def described(start: Start, choice: Mapping[str, Any]) -> Start:
    """The start whose description says what of the method stays in the network, where anything does."""
    if not getattr(plugins.load("adapt", choice["name"]), "STAYS", False):
        return start
    earlier = start.described.get("adapted", [])
    return replace(start, described={**start.described, "adapted": [*earlier, dict(choice)]})


def tensors(network: nn.Module, how: Adapted) -> dict[str, Tensor]:
    """What training an adapted network changes, and the scaling of its inputs: the adapter."""
    kept = {name for name, value in network.named_parameters() if value.requires_grad} | set(_heads.head(network))
    moving = (name for name, part in network.named_modules() if isinstance(part, _BatchNorm) and name not in how.still)
    kept |= {f"{name}.{own}" for name in moving for own, _ in network.get_submodule(name).named_buffers()} | set(
        SCALING
    )
    return {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items() if name in kept}


def save(folder: Path, start: Start, adaptation: Adaptation) -> dict[str, Any]:
    """Keep the adapter of a trained network that is not merged yet in `folder`; returns what the ledger says of it."""
    folder.mkdir()
    kept = tensors(start.network, adaptation.how)
    save_file(kept, folder / _WEIGHTS)
    (folder / _WEIGHTS).chmod(0o644)
    about = {"method": adaptation.choice, "base": adaptation.base, "classes": start.described["classes"]}
    files.write_json(folder / _ABOUT, {"format": _FORMAT, **about, "sha256": files.sha256(folder / _WEIGHTS)})
    return {"bytes": (folder / _WEIGHTS).stat().st_size, "base": adaptation.base, "tensors": len(kept)}


def located(path: Path) -> Path:
    """The folder of an adapter: `path`, or the one that the run there made. Raises UserError where there is none."""
    folder = path
    if (path / "ledger.jsonl").is_file():
        folder = path / "artifacts" / str(ledger.facts(path).get("train", {}).get("artifact")) / "adapter"
    if not (folder / _ABOUT).is_file():
        rule = f"It must be a folder with {_ABOUT}, or a run whose [adapt] made one"
        remedy = "Methods that train all weights make none: their network is train.start"
        raise UserError(f"{path} has no adapter", rule=rule, received=folder, remedy=remedy)
    return folder


def lay(start: Start, path: Path) -> Start:
    """Lay the adapter at `path` on the network of `start`, in place, and merge it.

    Raises UserError where it belongs to another network, to other classes, or was changed.
    """
    folder = located(path)
    about = files.read_json(folder / _ABOUT)
    _belongs(start, path, about)
    choice: dict[str, Any] = about["method"]
    _model.relay(start.network, [choice])
    _load(start.network, folder, about)
    merge = getattr(plugins.load("adapt", choice["name"]), "merge", None)
    if merge is not None:
        merge(start.network)
    return described(start, choice)


def _belongs(start: Start, path: Path, about: Mapping[str, Any]) -> None:
    found = network_hash(start.network)
    if about["base"] != found:
        raise UserError(
            f"The adapter {path} belongs to another network",
            rule=f"It was trained on the one with the sha256 {about['base'][:12]}",
            received=found[:12],
            remedy="Say in train.start or [model] what it was trained on",
        )
    if about["classes"] != start.described["classes"]:
        received = ", ".join(start.described["classes"][:8])
        rule = f"It answers with {', '.join(about['classes'][:8])}"
        raise UserError(f"The adapter {path} has other classes", rule=rule, received=received, remedy="Give their data")


def _load(network: nn.Module, folder: Path, about: Mapping[str, Any]) -> None:
    path = folder / _WEIGHTS
    if not path.is_file() or files.sha256(path) != about["sha256"]:
        raise UserError(
            f"{path} is not what {_ABOUT} tells of",
            rule=f"Its sha256 must be {about['sha256'][:12]}",
            received=files.sha256(path)[:12] if path.is_file() else "no such file",
            remedy="Copy both files of the adapter again",
        )
    network.load_state_dict({**network.state_dict(), **load_file(path)})


def network_hash(network: nn.Module) -> str:
    """The sha256 of all tensors outside the head, names and shapes included: what an adapter belongs to.

    The scaling of inputs is left out: it is measured on the data, and goes with the adapter.
    """
    found = hashlib.sha256()
    apart = {*_heads.head(network), *SCALING}
    for name, value in sorted(network.state_dict().items()):
        if name not in apart:
            found.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            found.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
