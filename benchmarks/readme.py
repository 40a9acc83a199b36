"""Write the README's tables from what the benchmarks kept: `python benchmarks/readme.py`."""

import json
import re
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from _table import RESULTS, markdown

from lepton.report import _words

_RIVALS = ("ONNX", "NNCF", "OpenVINO")
README = Path(__file__).parents[1] / "README.md"
COLUMNS = (
    "recipe", "metric", "test", "interval", "linear baseline", "shipped", "faster than PyTorch",
    "smaller than ONNX fp32", "MB", "ms p50",
)  # fmt: skip


def main() -> None:
    """Replace what stands between the markers."""
    text = README.read_text(encoding="utf-8")
    between = f"<!-- results -->\n{tables()}\n<!-- /results -->"
    made = re.sub(r"<!-- results -->.*<!-- /results -->", lambda _: between, text, flags=re.DOTALL)
    README.write_text(made, encoding="utf-8")


def tables() -> str:
    """Accuracy of the shipped apps, the loop's overhead, and the base install, each with its machine."""
    accuracy = _read("accuracy")
    rows = [{name: row[name] for name in COLUMNS} for row in accuracy["rows"]]
    place = f"{accuracy['machine']['processor']} ({accuracy['machine']['cores']} cores)"
    words = (
        "Intervals are 95 %; unseen-speakers is the mean of six runs, each on a speaker never heard. Times are of one\n"
        "thread; ratios are of graphs alone, batch 1. Only methods on the trained network's graph were\n"
        "tried; where none was faster, weights were packed or the fp32 graph was shipped. From\n"
        "`benchmarks/accuracy.py`."
    )
    head = f"Test scores of the shipped apps, from raw input to answer, on {place}."
    more = [compression()] if (RESULTS / "compression.json").exists() else []
    more += [serving()] if (RESULTS / "serving.json").exists() else []
    more += data() + transfer()
    more += [_sentence(name) for name in ("training", "base_install") if (RESULTS / f"{name}.json").exists()]
    return "\n\n".join([head, markdown(rows), words, *more])


def compression() -> str:
    """What the search made of each teacher, and what other ways made of it."""
    found = _read("compression")
    names = sorted({row["task"] for row in found["rows"]})
    rows = [_compressed([row for row in found["rows"] if row["task"] == name]) for name in names]
    place = f"{found['machine']['processor']} ({found['machine']['cores']} cores)"
    words = (
        f"The search for the cheapest plan under the standing contract, on {place}: test score of the teacher and of\n"
        "what was shipped, how much smaller than the teacher in PyTorch, and how much faster (graphs alone, batch 1,\n"
        "one thread) than the teacher in fp32 PyTorch and in fp32 ONNX. The last column is the fastest of what others\n"
        "make of the same teacher. The whole table, with int8 alone, models trained directly, p95 and times from raw\n"
        "input to answer, is `benchmarks/results/compression.json`, from `benchmarks/compression/table.py`. Searches\n"
        "had 10 minutes, of texts 20, on a busy machine; where that was over before a smaller network kept the\n"
        "contract, what is shipped is the teacher's own graph."
    )
    students = [_student(row) for row in found["rows"] if row["what"].startswith("student: ")]
    return "\n\n".join([words, markdown(rows), *students])


def _student(row: dict[str, Any]) -> str:
    """A plan that was measured beside the search, in words."""
    loss, bound = (f"{100 * row[name]:.1f}" for name in ("drop", "bound"))
    return (
        f"Beyond that contract, of the teacher of {row['task']}: {_words.plan(row['what'].removeprefix('student: '))}\n"
        f"loses {loss} points (at most {bound} by its 95 % bound) and is {row['smaller']:.0f}x smaller,\n"
        f"{row['faster']:.0f}x faster than PyTorch and {row['faster than ONNX']:.0f}x faster than fp32 ONNX."
    )


def _compressed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One task's line."""
    teacher, winner = rows[0], rows[-1]
    others = [row for row in rows if row.get("faster") and row["what"].split(" ")[0] in _RIVALS]
    best = max(others, key=lambda row: row["faster"], default=None)
    return {
        "task": teacher["task"],
        "teacher": _percent(teacher["test"]),
        "shipped": f"{_percent(winner['test'])} ({100 * winner['low']:.1f} to {100 * winner['high']:.1f})",
        "plan": _words.plan(winner["what"].removeprefix("Lepton: ")),
        "smaller": f"{winner['smaller']:.0f}x",
        "than PyTorch": f"{winner['faster']:.0f}x",
        "than ONNX": f"{winner['faster than ONNX']:.1f}x",
        "others, at most": f"{best['faster']:.1f}x ({best['what']}, {_percent(best['test'])})" if best else "",
    }


def serving() -> str:
    """The same tiny network behind every server; and Lepton with more work, with more clients, and while it changes."""
    found = _read("serving")
    names = list(dict.fromkeys(row["server"] for row in found["rows"]))
    rows = [_served([row for row in found["rows"] if row["server"] == name]) for name in names]
    place = f"{found['machine']['processor']} ({found['machine']['cores']} cores)"
    words = (
        f"The seed's digits CNN behind Lepton and others, in one run on {place}, the client on the\n"
        "same machine: requests a second with one worker and one thread a graph, over 1 / 32 connections; p99 of JSON\n"
        "over 32; resident memory after the load, and time until the server is ready. The whole table is\n"
        "`benchmarks/results/serving.json`, from `benchmarks/serving/table.py`."
    )
    more = [told() for name, told in _BESIDE.items() if (RESULTS / f"{name}.json").exists()]
    return "\n\n".join([words, markdown(rows), *more])


def _served(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One server's line."""
    cells = {(row["body"], row["connections"]): row for row in rows}
    line: dict[str, Any] = {"server": rows[0]["server"]}
    for body in ("JSON numbers", "raw PNG", "v2 binary"):
        pair = [cells.get((body, connections)) for connections in (1, 32)]
        line[f"{body}, 1 / 32"] = " / ".join(f"{row['requests/s']:,.0f}" for row in pair if row)
    numbers = cells["JSON numbers", 32]
    return {**line, "p99 ms": f"{numbers['p99 ms']:.1f}", "MB": f"{numbers['MB']:.0f}", "ready s": numbers["ready s"]}


def _heavy() -> str:
    reached = _percent(_read("serving_heavy")["aims"][0]["reached"])
    return (
        f"A ResNet-18 in int8 answers decoded 224 x 224 tensors at {reached} of the speed of ONNX Runtime alone on\n"
        "the same core, the client's own processor time taken off (`benchmarks/serving/heavy.py`)."
    )


def _overload() -> str:
    found = _read("serving_overload")
    told = {row["what"]: row["measured"] for row in found["rows"]}
    accepted, most = told["accepted/s"], told["requests/s that can be served"]
    return (
        f"With ten times more clients than it can serve, for {found['seconds']} s, it answers {accepted:.0f} requests\n"
        f"a second where it can serve {most:.0f}, and refuses the rest; {_kept(found['rows'])}\n"
        "(`benchmarks/serving/overload.py`)."
    )


def _swaps() -> str:
    found = _read("serving_swaps")
    told = {row["what"]: row["measured"] for row in found["rows"]}
    return (
        f"{told['swaps']:,} swaps and {told['stops']} stops while 16 clients ask: {_kept(found['rows'])}\n"
        "(`benchmarks/serving/swaps.py`)."
    )


def _kept(rows: list[dict[str, Any]]) -> str:
    promises = [row for row in rows if row["kept"] != ""]
    broken = [row["what"] for row in promises if not row["kept"]]
    return f"broken: {'; '.join(broken)}" if broken else f"all {len(promises)} promises of the script are kept"


_BESIDE = {"serving_heavy": _heavy, "serving_overload": _overload, "serving_swaps": _swaps}
"""What is said below the table, by the results it stands on."""


def data() -> list[str]:
    """What the audit finds of what was planted, and what that costs."""
    return [told() for name, told in _OF_DATA.items() if (RESULTS / f"{name}.json").exists()]


def _by_data(name: str, line: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> str:
    """A table of kept rows, one line a data set."""
    rows = _read(name)["rows"]
    names = dict.fromkeys(row["data"] for row in rows)
    return markdown([line([row for row in rows if row["data"] == data]) for data in names])


def _planted_leaks() -> str:
    words = (
        "Copies that were planted across splits, exact ones and changed ones (saved again, cut, brighter, mirrored,\n"
        "moved; other case, blanks and marks; louder, noisy, shifted, another rate): how many changed ones are found,\n"
        "and how many of the clean records are named wrongly, beside CleanVision (pictures) and Datalab (texts). Of\n"
        "the exact ones all are found. From `benchmarks/data/planted_leaks.py`; [how](docs/explanation/duplicates.md)."
    )
    return f"{words}\n\n{_by_data('planted_leaks', _leaks)}"


def _leaks(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One data set's line."""
    ours, other = rows[0], rows[-1] if len(rows) > 1 else None
    return {
        "data": ours["data"],
        "changed copies found": ours["near"],
        "clean ones named": f"{ours['false %']:.2f} %",
        "others find": f"{other['near']} ({other['tool']})" if other else "",
        "clean ones named by others": f"{other['false %']:.2f} %" if other else "",
    }


def _label_noise() -> str:
    several = sorted({row["data"] for row in _read("label_noise")["rows"] if "ahead" in row})
    drawn = f", of {' and '.join(several)} the mean of three" if several else ""
    words = (
        "Labels that were made wrong, class by class as people confuse them: average precision of the audit's\n"
        "ranking / of cleanlab's Datalab given the same predictions / of Datalab as it is recommended; one draw\n"
        f"of the noise{drawn}. From `benchmarks/data/label_noise.py`; [how](docs/how-to/audit.md)."
    )
    return f"{words}\n\n{_by_data('label_noise', _noise)}"


def _noise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One data set's line."""
    keys = ("AP", "Datalab, same predictions: AP", "Datalab, its own: AP")
    return {"data": rows[0]["data"]} | {
        f"{row['rate']:.0%} wrong": " / ".join(f"{row[key]:.3f}" for key in keys) for row in rows
    }


def _mending() -> str:
    rows = _read("mending")["rows"]
    kept = [
        f"{row['data']} at {row['rate']:.0%} {row['noisy']:.3f} -> {row['mended']:.3f} (clean {row['clean']:.3f})"
        for row in rows
        if row["kept"] != "nothing"
    ]
    listed = ",\n".join(kept)
    return (
        f"What `data.clean` gives back, in test accuracy of quick linear models:\n{listed}.\n"
        f"In the {len(rows) - len(kept)} other cells no rule was proven to help, and nothing was changed\n"
        "(`benchmarks/data/mending.py`)."
    )


def _shortcuts() -> str:
    rows = [row for row in _read("shortcuts")["rows"] if row["planted"] != "nothing"]
    found, shown = (_of(row[what] for row in rows) for what in ("found", "shown"))
    return (
        f"Of marks and hums planted on one class, {found} are found and {shown} are shown at\n"
        "their place (`benchmarks/data/shortcuts.py`)."
    )


def _of(cells: Iterable[str]) -> str:
    """`15 of 15` and `14 of 18` as `29 of 33`."""
    pairs = [cell.split(" of ") for cell in cells]
    return " of ".join(str(sum(int(pair[place]) for pair in pairs)) for place in (0, 1))


_OF_DATA = {
    "planted_leaks": _planted_leaks,
    "label_noise": _label_noise,
    "mending": _mending,
    "shortcuts": _shortcuts,
}


def transfer() -> list[str]:
    """What a pretrained encoder becomes: packaged, of few examples, with many adapters, with an abstaining app."""
    return [make() for name, make in _OF_TRANSFER.items() if (RESULTS / f"{name}.json").exists()]


def _encoder() -> str:
    found = _read("adapt_encoder")["rows"]
    names = list(dict.fromkeys(row["case"] for row in found))
    rows = [_tuned({row["what"]: row for row in found if row["case"] == name}, name) for name in names]
    words = _filled(
        "A pretrained sentence encoder (MiniLM, 22 M weights) fine-tuned on one thread and packaged, in int8 where the "
        "contract allows: test accuracy from raw text, and the time from a question of 20 words to its answer. The "
        "plain script with transformers' Trainer and its defaults had the same time to train. The phrasebank is "
        "answered in five folds. From `benchmarks/adapt/encoder.py`; [how](docs/how-to/adapt.md)."
    )
    return f"{words}\n\n{markdown(rows)}"


def _tuned(rows: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """One data set's line."""
    ours = rows["Lepton, packaged"]
    others = ("transformers Trainer", "linear baseline", "from scratch")
    return {
        "data": name,
        "packaged": f"{_percent(ours['accuracy'])} ({ours['interval']})",
        **{what: _percent(rows[what]["accuracy"]) if what in rows else "" for what in others},
        "MB": f"{ours['MB']:.0f}",
        "p50 ms": f"{ours['p50 ms']:.1f}",
        "decisions changed by packaging": f"{ours['changed']} of {ours['of']}",
    }


def _few() -> str:
    rows = [row for row in _read("few_shot")["rows"] if row["draw"] == 0]
    names = list(dict.fromkeys(row["case"] for row in rows))
    listed = "; ".join(f"{name}: {_ways([row for row in rows if row['case'] == name])}" for name in names)
    return _filled(f"From few examples (one draw, test accuracy in %; `benchmarks/adapt/few.py`): {listed}.")


def _ways(rows: list[dict[str, Any]]) -> str:
    ordered = sorted(rows, key=lambda row: -row["accuracy"])
    return ", ".join(f"{row['what']} {100 * row['accuracy']:.1f}" for row in ordered)


def _joined() -> str:
    aims = _read("adapters_served")["aims"]
    ratios = {(row["rank"], row["fifty against one"]): row["ratio"] for row in aims}
    ranks = sorted({rank for rank, _ in ratios})
    told = "; ".join(
        f"rank {rank}: {ratios[rank, 'resident memory']:.2f}x the memory, {ratios[rank, 'p50']:.2f}x the latency"
        for rank in ranks
    )
    return _filled(
        f"Fifty LoRA adapters on that encoder in one app, against one: {told} (`benchmarks/adapt/served.py`)."
    )


def _open_set() -> str:
    rows = [row for row in _read("open_set")["rows"] if row["what"] == "measuring"]
    apps = [row for row in rows if row["score"].startswith("the app")]
    told = "; ".join(
        f"{row['tuning']} ({row['score']}): AUROC {row['AUROC']:.3f}, {_percent(row['rejected'])} of the unknown"
        f" rejected while {_percent(row['kept'])} of the known are kept"
        for row in apps
    )
    words = "Questions that no intent covers, 20 of banking77's 77 left out of training, as packaged"
    return _filled(f"{words}: {told} (`benchmarks/adapt/open_set.py`; [how](docs/how-to/open-set.md)).")


def _filled(text: str) -> str:
    """The text in lines."""
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


_OF_TRANSFER = {
    "adapt_encoder": _encoder,
    "few_shot": _few,
    "adapters_served": _joined,
    "open_set": _open_set,
}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _sentence(name: str) -> str:
    first, *others = _read(name)["rows"]
    if name == "training":
        ratios = [f"{first['ratio']:.2f} times that of a bare PyTorch loop"]
        ratios += [f"{row['loop']} {row['ratio']:.2f} times" for row in others if row["loop"].startswith("Keras")]
        scores = ", ".join(f"{row['loop']} {row['accuracy']:.3f}" for row in (first, *others))
        said = f"On one thread, an epoch of the seed's CNN takes {', '.join(ratios)}."
        return f"{said}\nTest accuracy after five epochs: {scores} (`benchmarks/training.py`)."
    size, ready, resident = (first[key] for key in ("environment MB", "ready s (median)", "resident MB"))
    return (
        f"A base install without torch is {size:.0f} MB; `lepton serve` on the digits app is ready in {ready:.2f} s\n"
        f"with {resident:.0f} MB resident (`benchmarks/base_install.py`)."
    )


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main()
