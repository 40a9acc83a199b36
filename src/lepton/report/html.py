"""A run as one HTML file that needs nothing else: pictures, sound and charts are inside it."""

import re
from pathlib import Path
from typing import Any

from lepton.core import files
from lepton.core.errors import MissingExtra
from lepton.report import _answers, _damage, _learning_curve, _mending, _methods, _open_set, _results, _steps
from lepton.report._headline import headline
from lepton.report._media import Media
from lepton.report._told import Told
from lepton.report.summary import summarise

_HERE = Path(__file__).parent
_UNIT = re.compile(r"(?<=\d) (?=%|ms\b|MB\b|kB\b|points\b)")


def write(run_folder: str | Path, out: str | Path | None = None) -> Path:
    """Write `index.html` and `report.json` into `out` (default: the run's `report`) and give the page's path."""
    folder = Path(out) if out else Path(run_folder) / "report"
    page = render(run_folder)
    files.write_json(folder / "report.json", summarise(run_folder))
    files.write_text(folder / "index.html", page)
    return folder / "index.html"


def render(run_folder: str | Path) -> str:
    """The page as text; whatever comes from the data is escaped.

    Sections that the run did not come to are left out. Raises UserError where there is no run and MissingExtra where
    the template engine is not installed.
    """
    told = Told.of(run_folder)
    return str(template("template.html").render(_view(told)))


def template(name: str) -> Any:
    """The page of that name, ready to be rendered; raises MissingExtra where the template engine is not installed."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingExtra("The HTML report needs jinja2, which is not installed", "train") from error
    loader = jinja2.FileSystemLoader(_HERE)
    place = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.ChainableUndefined, finalize=_unbroken)
    place.trim_blocks = place.lstrip_blocks = True
    return place.get_template(name)


def _unbroken(value: Any) -> Any:
    """Keep a figure and its unit on one line."""
    return type(value)(_UNIT.sub("\N{NO-BREAK SPACE}", value)) if isinstance(value, str) else value


def _view(told: Told) -> dict[str, Any]:
    media = Media()
    return {
        "app": told.app,
        "status": told.status,
        "headline": headline(told),
        "beaten": told.stage("evaluate").get("beaten"),
        "n": told.stage("evaluate").get("n"),
        "tiles": _results.tiles(told),
        "contract": _results.contract(told),
        "refused": told.events.get("refused", {}).get("message"),
        "scores": _results.scores(told),
        "label_notes": _mending.labels(told),
        "corrections": _mending.corrections(told),
        "cleaning": _mending.cleaning(told),
        "steps": _steps.steps(told),
        "damage": _damage.damage(told, media),
        "learning": _results.learning(told),
        "tried": _results.tried(told),
        "methods": _methods.methods(told),
        "curve": _learning_curve.curve(told),
        "answers": _answers.answers(told),
        "open_set": _open_set.open_set(told, media),
        "slices": _answers.slices(told),
        "weakest": _mending.weakest(told),
        "mistakes": _answers.mistakes(told, media),
        "data": _answers.data(told, media),
        "parity": _results.parity(told),
        "provenance": _results.provenance(told),
        "validation": told.stage("compress").get("validation_records"),
    }
