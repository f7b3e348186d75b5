"""A run as one HTML page: figures, measures, parameters, provenance, and how to do it again.

The page stands alone: figures are inside it, and it has no script and nothing that a browser would
fetch; a policy in its head forbids both. Names and texts come from sweeps that others may have
written: everything is escaped. Spec: docs/laboratory.md (Report).
"""

import html
import re
from collections.abc import Iterable, Sequence

import msgspec

from experiments.lab.drawing import Drawing
from experiments.lab.plot import draw
from experiments.lab.plot_data import drawings_of
from experiments.lab.runs.run_directory import RunDirectory
from experiments.lab.runs.summary import Row, cell_text, number_text

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 13px; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ddd;
         vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: 12.5px; }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; } .exact { color: #006644; } .sampled { color: #0b4f8a; }
.approximate { color: #a33c00; } small { color: #666; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
QUALITIES = (
    ("exact", "the true value of what is stated, by a proof or a closed form"),
    ("sampled", "an estimate from random draws; its interval says how sure it is"),
    ("approximate", "a model that is known to deviate; its interval does not cover that"),
)


def report_page(run: RunDirectory) -> bytes:
    """The page, as UTF-8. Raises UserError as `drawings_of` and `draw` do."""
    sweep = run.plan.sweep
    title = sweep.looks[0].title if sweep.looks and sweep.looks[0].title else sweep.experiment
    provenance = _provenance(run)
    intro = (
        f"Experiment <b>{_text(sweep.experiment)}</b>: {len(run.plan.points)} points, "
        f"{sweep.replicates} replicates of each, seed {sweep.seed}."
    )
    body = [
        f"<h1>{_text(title)}</h1><p>{intro}</p>",
        _section("Figures", _figures(drawings_of(run))),
        _section("Measures", _measures(run.rows())),
        _section("Parameters", _parameters(run)),
        _section("Provenance", provenance),
        _section("Do it again", _again(run)),
    ]
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{_text(title)}</title>'
        f"<style>{STYLE}</style>"
    )
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>'
    )
    return page.encode() + b"\n"


def inline_svg(svg: bytes, prefix: str) -> str:
    """An SVG file as an element of a page: without its head and metadata, and with ids of its own,
    since those of two figures would be confused."""
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'\bhref="#', f'href="#{prefix}-', text)
    return re.sub(r"url\(#", f"url(#{prefix}-", text).strip()


def _figures(drawings: dict[str, Drawing]) -> str:
    parts = []
    for place, (name, drawing) in enumerate(drawings.items()):
        picture = inline_svg(draw(drawing).svg, f"f{place}")
        caption = "Bars and bands: 95 % intervals over replicates. Open marks are not exact."
        parts.append(
            f'<figure role="img" aria-label="{_text(drawing.labels.title or name)}">{picture}'
            f"<figcaption><small>{_text(name)}. {caption}</small></figcaption></figure>"
        )
    return "".join(parts)


def _measures(rows: Sequence[Row]) -> str:
    head = ("point", "measure", "mean", "95 % interval", "unit", "quality", "replicates", "trials")
    cells = []
    for row in rows:
        low, high = (row.interval.low, row.interval.high) if row.interval else (None, None)
        interval = f"{_number(low)} … {_number(high)}" if row.interval else ""
        cells.append(
            [
                _cell(row.point.place.removeprefix("point ")),
                _cell(row.measure),
                _cell(_number(row.mean), "number"),
                _cell(interval, "number"),
                _cell(row.unit),
                _cell(row.quality.value, row.quality.value),
                _cell(str(row.replicates), "number"),
                _cell("" if row.trials is None else str(row.trials), "number"),
            ]
        )
    meaning = "; ".join(f"<b>{name}</b>: {words}" for name, words in QUALITIES)
    return f"<p><small>{meaning}.</small></p>{_table(head, cells)}"


def _parameters(run: RunDirectory) -> str:
    sweep = run.plan.sweep
    cells = [[_cell(key), _cell(cell_text(value))] for key, value in sweep.parameters.items()]
    for key, values in sweep.grid.items():
        cells.append([_cell(key), _cell("each of " + ", ".join(cell_text(one) for one in values))])
    for arm in sweep.arms:
        changes = [f"{key} = {cell_text(value)}" for key, value in arm.items() if key != "name"]
        cells.append([_cell(f"arm {arm['name']}"), _cell(", ".join(changes) or "as above")])
    return _table(("key", "value"), cells)


def _provenance(run: RunDirectory) -> str:
    record = msgspec.to_builtins(run.provenance)
    libraries = record.pop("libraries")
    keys = record.pop("spawn_keys")
    record["spawn_keys"] = f"(0) to ({len(keys) - 1}), one a replicate"
    record |= {f"library {name}": version for name, version in libraries.items()}
    cells = [
        [_cell(key.replace("_", " ")), _cell("unknown" if value is None else cell_text(value))]
        for key, value in record.items()
    ]
    return _table(("what", "value"), cells)


def _again(run: RunDirectory) -> str:
    words = (
        "Save this as <code>run.toml</code>, take the commit above, and run "
        "<code>hushmill lab run run.toml</code>: summary.csv and targets.csv come out the same to "
        "the byte. To draw the figures: <code>hushmill lab plot</code> and the run's folder."
    )
    return f"<p>{words}</p><pre>{_text(run.plan.text)}</pre>"


def _section(title: str, content: str) -> str:
    return f"<h2>{title}</h2>{content}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f"<th>{name}</th>" for name in head)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def _cell(text: str, kind: str = "") -> str:
    shape = f' class="{kind}"' if kind else ""
    return f"<td{shape}>{_text(text)}</td>"


def _number(value: float | None) -> str:
    return "" if value is None else number_text(float(f"{value:.6g}"))


def _text(text: str) -> str:
    return html.escape(text, quote=True)
