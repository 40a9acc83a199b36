"""CARD.md: what the app is, from what the stages told the ledger."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lepton.report._open_set import how, sentence
from lepton.runtime.contract import VNNI, full_range
from lepton.stages._stage import Stage

_EXAMPLES = 3
_LONGEST = 120


def render(stage: Stage, winner: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    """The card in Markdown: use, data, figures with intervals beside baselines, the contract, limits, licences."""
    told = {name: stage.read(name, "artifact.json")["facts"] for name in stage.parents}
    parts = [
        *_head(stage, more),
        *_figures(told["evaluate"]),
        *_open_set(told["evaluate"]),
        *_contract(winner, more["machine"]),
        *_data(told["prepare"]),
        *_limits(told),
    ]
    return "\n".join(parts) + "\n"


def _head(stage: Stage, more: Mapping[str, Any]) -> Iterator[str]:
    app = stage.recipe["app"]
    yield f"# {app['name']}\n"
    yield f"{app['description'] or 'An application for ' + app['task'] + '.'}\n"
    model = more["provenance"]["model"]
    yield f"- Task: {app['task']}"
    yield f"- Model: {model['name']}" + (f" ({model['preset']})" if model.get("preset") else "")
    yield f"- Shipped as: {more['provenance']['plan']}"
    yield f"- Licence: {app['license']}; data: {app['data_license']}; seed: {app['seed']}"
    if model.get("source"):
        yield f"- Base model: {model['source']}; its own licence holds for what was kept of it"


def _figures(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n## Figures\n\nOn {told['n']} test records, looked at once; 95 % intervals in brackets.\n"
    names = list(told["metrics"])
    yield "| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names)
    for title, metrics in [
        ("this app", told["metrics"]),
        *_otherwise(told),
        *((item["name"], item["metrics"]) for item in told["baselines"]),
    ]:
        yield f"| {title} | " + " | ".join(_interval(metrics.get(name)) for name in names) + " |"
    yield from _raised(told["leaks"]["raised"])


def _open_set(told: Mapping[str, Any]) -> Iterator[str]:
    """What abstaining does, where the app does it, with the clearest examples of where it fails."""
    found = told["open_set"]
    if not found:
        return
    yield f"\n## What no class covers\n\n{sentence(found)} {how(found, told['validation'])}"
    yield "Figures above count a known record that is turned away as wrong; of those kept"
    yield f"{_interval(found['accuracy'])} are right. Other inputs than these may be rejected more or less often.\n"
    for key, title in (("taken", "taken for a class"), ("turned_away", "known, and turned away")):
        for item in found[key][:_EXAMPLES]:
            what = json.dumps(item["text"][:_LONGEST], ensure_ascii=False) if "text" in item else item["id"]
            best = next(each["label"] for each in item["answer"] if each["label"] != found["label"])
            yield f"- {title}: {what} ({item['given']}), {'as' if key == 'taken' else 'nearest to'} {best}"


def _otherwise(told: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The app's figures without abstaining, without leaked test records, and on labels that nobody corrected."""
    leaks, near, given = told["leaks"], told["leaks"]["near"], told["as_given"]
    if told["open_set"]:
        yield "this app, if it did not abstain", told["open_set"]["forced"]
    if leaks["metrics"]:
        title = f"this app, without the test records that also stand in the given train split ({leaks['n']:,})"
        yield title, leaks["metrics"]
    if near["metrics"]:
        yield f"this app, without those and the ones nearly the same ({near['n']:,})", near["metrics"]
    if given:
        yield f"this app, on the labels as they were given ({given['n']:,} were corrected)", given["metrics"]


def _raised(found: Mapping[str, Any] | None) -> Iterator[str]:
    """By how much the leaks raise a score."""
    if found:
        ends = f"[{100 * found['low']:+.2f}, {100 * found['high']:+.2f}]"
        yield f"\nLearning from the {found['n']:,} leaked training records changes the score of a linear model on the"
        yield f"test set by {100 * found['value']:+.2f} points {ends}."


def _contract(winner: Mapping[str, Any], machine: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n## Contract\n\nMeasured on {machine['processor']} ({machine['cores']} cores).\n"
    yield "| clause | asked | measured | kept |\n|---|---|---|---|"
    for clause in winner["clauses"]:
        kept = "yes" if clause["kept"] else "no"
        yield f"| {clause['name']} | {clause['asked']:.4g} | {clause['measured']:.4g} | {kept} |"
    yield from _eight_bits(winner["steps"], machine["instructions"])


def _eight_bits(steps: Sequence[Mapping[str, Any]], instructions: Sequence[str]) -> Iterator[str]:
    """On which processors the figures of a plan that computes in 8 bits hold."""
    if full_range(steps):
        here = ", ".join(name for name in VNNI if name in instructions) or "none of its kin"
        yield f"\n8-bit figures hold for processors with {VNNI[0]} or its kin ({', '.join(VNNI[1:])}); here: {here}."
        yield "On processors without VNNI products can saturate: accuracy must be measured again (`lepton verify APP"
        yield "--contract`, `lepton evaluate`), or weights kept to 7 bits (`int8_static` with `reduce_range = true`)."
    elif any(step.get("reduce_range") for step in steps):
        yield "\nWeights are kept to 7 bits, so that no 8-bit product saturates on processors without VNNI either."


def _data(told: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Data\n"
    for split, counts in told["counts"].items():
        yield f"- {split}: {sum(counts.values()):,} labels over {len(counts)} classes"
    for split, counts in (told["unknown"] or {}).items():
        yield f"- {split}: {sum(counts.values()):,} records of {len(counts)} labels that no class covers"
    leaks = told["leaks"]
    yield f"- version: {told['version']}"
    if told["corrections"]:
        yield f"- labels corrected by people: {sum(told['corrections']['changed'].values()):,}"
    if told["clean"]:
        yield f"- cleaning of training labels: {told['clean']['why']}"
    yield f"- set aside as unreadable: {len(told['bad'])}; leaked into train: {len(leaks['train'])} ({leaks['policy']})"


def _limits(told: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Limits\n"
    told_of = " Of what else there is it knows only that no class fits." if told["evaluate"]["open_set"] else ""
    yield f"It knows the classes it was trained on and no others, and was measured on data like its own.{told_of}"
    beaten = told["evaluate"]["beaten"]
    if beaten:
        yield f'\n**The baseline "{beaten}" scores higher than this app on the test set.**'
    for row in told["evaluate"]["slices"]:
        if row["weak"]:
            yield f"- weak where {row['field']} is {row['value']}: {_interval(row['metric'])} on {row['n']:,} records"
    for finding in told["prepare"]["findings"]:
        yield f"- {finding['check']}: {finding['message']}"


def _interval(found: Mapping[str, float] | None) -> str:
    return "" if found is None else f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
