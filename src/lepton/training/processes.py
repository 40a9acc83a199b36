"""The processes that a launcher (`torchrun`, `accelerate launch`) has started for one run: who leads, and who helps.

The first process does the work as if it were alone. The others wait for its orders, so that nothing that reads a clock,
a file or a score is decided twice. While an order is carried out all are in step: before anything is exchanged they
agree that none has failed, and a fault in one ends the order in all.
"""

import io
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn.utils import parametrize

from lepton.core.errors import Ended, UserError

T = TypeVar("T")

Order = Callable[["Team"], None]
"""What a helping process does; a function at module level, or a partial of one."""

_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_PATIENCE = timedelta(days=30)
"""How long helpers wait for an order: the first process may search for hours before it trains again."""


class Stopped(Exception):
    """All processes have agreed to end an order; `error` is why."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Lost(UserError):
    """Another process has gone without a word."""


@dataclass(frozen=True)
class _End:
    """The last order: what the first process's work gave, or why it failed."""

    result: Any = None
    failed: str = ""


def launched() -> bool:
    """Whether a launcher has started this process together with others."""
    return all(name in os.environ for name in _VARIABLES) and int(os.environ["WORLD_SIZE"]) > 1


def on_cpu() -> bool:
    """Whether the launcher was told to use processors alone."""
    return os.environ.get("ACCELERATE_USE_CPU", "false").lower() in ("true", "1", "yes")


def local() -> tuple[int, int]:
    """The number of this process on its machine, and how many there are; (0, 1) without a launcher."""
    if not launched():
        return 0, 1
    return int(os.environ["LOCAL_RANK"]), int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))


class Team:
    """The processes of a run, `size` of them; this one is number `rank`, and 0 leads.

    Whatever is exchanged raises Stopped where a process has failed, and Lost where one has gone.
    """

    def __init__(self, rank: int, size: int, words: Any) -> None:
        self.rank = rank
        self.size = size
        self.leading = False
        self._words = words

    def agree(self, error: Exception | None = None) -> None:
        """Wait for all; raises Stopped in all of them where one comes with an error."""
        failed = torch.tensor([int(error is not None)])
        self._exchange(lambda: distributed.all_reduce(failed, group=self._words))
        if not int(failed):
            return
        told: list[Any] = [None] * self.size
        mine = _told(error, self.rank) if error is not None else None
        self._exchange(lambda: distributed.all_gather_object(told, mine, group=self._words))
        raise Stopped(error or _error(next(each for each in told if each is not None)))

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """An error in this block ends it in all processes, at their next exchange: each raises Stopped."""
        try:
            yield
        except (Stopped, Lost):
            raise
        except Exception as error:  # noqa: BLE001 - it is raised again in every process
            self.agree(error)

    def tell(self, word: bytes) -> None:
        """Say something to the others, who `hear` it."""
        self.agree()
        self._said([word])

    def hear(self) -> bytes:
        """What the first process tells next."""
        self.agree()
        return self._said([b""])

    def _said(self, words: list[bytes]) -> bytes:
        self._exchange(lambda: distributed.broadcast_object_list(words, group=self._words))
        return words[0]

    def sum(self, values: Tensor) -> Tensor:
        """The sum of everyone's values, in place."""
        self.agree()
        self._exchange(lambda: distributed.all_reduce(values, group=self._for(values)))
        return values

    def share(self, values: Tensor) -> Tensor:
        """The first process's values, in place."""
        self.agree()
        self._exchange(lambda: distributed.broadcast(values, 0, group=self._for(values)))
        return values

    def _for(self, values: Tensor) -> Any:
        """The group that can carry the values: those on an accelerator go from one to the next."""
        return self._words if values.device.type == "cpu" else None

    def _exchange(self, exchange: Callable[[], object]) -> None:
        try:
            exchange()
        except RuntimeError as error:
            raise Lost(
                "A process of this run has gone",
                rule="All that the launcher started must stay to the end",
                received=next(iter(str(error).splitlines()), ""),
                remedy="The launcher tells which one, and how it ended; the same command goes on from the last epoch",
            ) from error


def led(work: Callable[[], T]) -> T:
    """What `work()` gives, which the first process does while the others carry out its orders.

    Without a launcher, and within work that is led already, it is only done. Where it fails, the others raise Ended.
    """
    team = _team() if launched() else None
    if team is None or team.leading:
        return work()
    return _lead(team, work) if team.rank == 0 else cast(T, _follow(team))


def leading() -> Team | None:
    """The team that this process leads, None where it is alone."""
    team = _team() if launched() else None
    return team if team is not None and team.leading else None


def _lead(team: Team, work: Callable[[], T]) -> T:
    team.leading = True
    try:
        result = work()
    except Lost:
        raise
    except Exception as error:
        team.tell(packed(_End(failed=f"{type(error).__name__}: {error}")))
        raise
    finally:
        team.leading = False
    team.tell(packed(_End(result)))
    return result


def _follow(team: Team) -> Any:
    """Carry out orders until the last one; a failed one is told of by the first process."""
    while True:
        try:
            heard = team.hear()
            with team.in_step():
                order = pickle.loads(heard)  # noqa: S301 - from the first process of this run
                if not isinstance(order, _End):
                    order(team)
        except Stopped:
            continue
        except Lost as error:
            raise Ended(error.what) from error
        if isinstance(order, _End):
            break
    if order.failed:
        raise Ended("The first process has failed", received=order.failed)
    return order.result


@cache
def _team() -> Team:
    """Join the others: tensors go as `accelerate` finds best for the devices here, words between the processors."""
    from accelerate import PartialState

    state = PartialState(cpu=on_cpu() or not torch.cuda.is_available())
    words = distributed.new_group(backend="gloo", timeout=_PATIENCE)
    return Team(state.process_index, state.num_processes, words)


def leave(code: int) -> None:
    """End this process at once: threads that serve the groups, met by Python's own end, now and then abort it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def packed(value: Any) -> bytes:
    """Bytes that `pickle.loads` makes the value of again, functions within functions and closures included."""
    import cloudpickle

    class Packer(cloudpickle.Pickler):  # type: ignore[misc]
        """Knows networks whose weights are parametrised, which PyTorch leaves to their state alone."""

        def reducer_override(self, thing: Any) -> Any:
            if isinstance(thing, nn.Module) and parametrize.is_parametrized(thing):
                kind = parametrize.type_before_parametrizations(thing)
                return _parametrised, (kind, kind.__getstate__(thing))  # type: ignore[call-arg]
            return super().reducer_override(thing)

    stream = io.BytesIO()
    Packer(stream).dump(value)
    return stream.getvalue()


def _parametrised(kind: type[nn.Module], state: dict[str, Any]) -> nn.Module:
    """A module of `kind` with `state` in which parametrisations are, made as copying one makes it."""
    module = kind.__new__(kind)
    module.__setstate__(state)
    parametrize._inject_new_class(module)  # noqa: SLF001
    for name in cast(nn.ModuleDict, module.parametrizations):
        parametrize._inject_property(module, name)  # noqa: SLF001
    return module


def _told(error: Exception, rank: int) -> tuple[Sequence[str], str]:
    """An error as words: the four parts of a user's mistake, or the trace of a bug."""
    if isinstance(error, UserError):
        return (error.what, error.rule, error.received, error.remedy), ""
    trace = "".join(traceback.format_exception(error))
    return (), f"process {rank} of this run failed:\n{trace}"


def _error(told: tuple[Sequence[str], str]) -> Exception:
    parts, trace = told
    if not parts:
        return RuntimeError(trace)
    what, rule, received, remedy = parts
    return UserError(what, rule=rule, received=received or None, remedy=remedy)
