"""Writes the parts of the documents that are made from the code, so that they cannot go stale.

A generated part stands between `<!-- generated:NAME -->` and `<!-- /generated:NAME -->` in any
Markdown file; `SECTIONS` maps each NAME to the function that makes its text. Nothing is skipped:
a marker without a function, a function without a marker and a marker without its end are failures.

    python tools/generate_docs.py           writes the sections that changed
    python tools/generate_docs.py --check   changes nothing, exits 1 when a section is not current
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script, only tools/ is on the path
    sys.path.insert(0, str(ROOT))

from tools.source_tables import code, diagram, entries, table  # noqa: E402 - needs the path above

MODEL: Final = ROOT / "src/quarterdeck/core/model"
NOT_OURS: Final = frozenset({"node_modules", "var", "dist"})
"""Folders that hold no document of this project; hidden folders are left out as well."""

_MARKER = re.compile(r"^<!-- (?P<end>/?)generated:(?P<name>[^ ]*) -->$", re.MULTILINE)


class MarkerError(Exception):
    """A document's markers cannot be followed: which file, which marker, what is allowed."""


# Each function imports what it reads, so that one broken module spoils one section only.


def reason_codes() -> str:
    """Return the table of every reason code with its band and its text."""
    from quarterdeck.core.model import reasons

    return table(
        ["code", "band", "meaning"],
        ([code(reason), reasons.band(reason), reasons.TEXTS[reason]] for reason in reasons.Reason),
    )


def parent_states() -> str:
    """Return the diagram of a parent order's life and the table of its states."""
    from quarterdeck.core.model.status import ParentStatus

    rows = ([code(status), "yes" if status.is_live else "no"] for status in ParentStatus)
    states = table(["state", "children may work for it"], rows)
    return f"{diagram(MODEL / 'order.py')}\n\n{states}"


def child_states() -> str:
    """Return the diagram of a child order's life and the table of its states."""
    from quarterdeck.core.model.status import ChildStatus

    rows = (
        [code(status), "yes" if status.is_live else "no", "yes" if status.is_dead else "no"]
        for status in ChildStatus
    )
    header = ["state", "a venue may still fill it", "ended without ever working"]
    return f"{diagram(MODEL / 'child.py')}\n\n{table(header, rows)}"


def order_message() -> str:
    """Return the table of the fields of the order message."""
    return _message(MODEL / "terms.py", "OrderRequest")


def amend_message() -> str:
    """Return the table of the fields of an amend."""
    return _message(ROOT / "src/quarterdeck/core/desk/amendment.py", "AmendRequest")


def _message(path: Path, name: str) -> str:
    return table(
        ["field", "type", "when left out", "meaning"],
        (
            [code(field.name), code(field.kind), code(field.default) or "refused", field.text]
            for field in entries(path, name)
        ),
    )


def import_layers() -> str:
    """Return the import order of the packages as a list, the outermost first."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    lines = []
    for contract in contracts:
        if contract["type"] != "layers":
            continue
        container = contract["containers"][0]
        lines.append(f"Inside `{container}`, the outermost first:\n")
        lines += [f"{place}. {layer}" for place, layer in enumerate(_layers(contract), start=1)]
        lines.append("")
    lines.append("Besides, import-linter holds these:\n")
    lines += [f"* {contract['name']}" for contract in contracts if contract["type"] != "layers"]
    return "\n".join(lines)


def _layers(contract: Mapping[str, Sequence[str]]) -> Iterator[str]:
    folder = ROOT / "src" / contract["containers"][0].replace(".", "/")
    for layer in contract["layers"]:
        names = [name.strip("()") for name in re.split(r" *[:|] *", layer)]
        yield ", ".join(
            f"`{name}`" if _is_module(folder / name) else f"{name} (planned)" for name in names
        )


def _is_module(path: Path) -> bool:
    return (path / "__init__.py").is_file() or path.with_suffix(".py").is_file()


def dev_commands() -> str:
    """Return what `./dev help` prints, as a code block."""
    shown = subprocess.run(
        ["sh", str(ROOT / "dev"), "help"], check=True, capture_output=True, text=True
    )
    return f"```text\n{shown.stdout.rstrip()}\n```"


def metrics() -> str:
    """Return the table of every published metric."""
    from quarterdeck.telemetry.metrics import METRICS

    return table(
        ["metric", "kind", "unit", "labels", "meaning"],
        (
            [
                code(metric.published),
                metric.kind.value,
                metric.unit,
                ", ".join(code(label) for label in metric.labels),
                metric.help,
            ]
            for metric in METRICS
        ),
    )


def configuration_keys() -> str:
    """Return the table of every key of `quarterdeck.toml`."""
    settings = ROOT / "src/quarterdeck/app/settings.py"
    sections = {
        "[desk]": "DeskSection",
        "[database]": "DatabaseSection",
        "[[accounts]]": "AccountSection",
        "[accounts.rate]": "RateSection",
        "[[drydock]]": "DrydockSection",
        "[[limits]]": "LimitsSection",
        "[capture]": "CaptureSection",
        "[log]": "LogSection",
    }
    return table(
        ["section", "key", "type", "when left out", "meaning"],
        (
            [code(section), code(key.name), code(key.kind), code(key.default), key.text]
            for section, name in sections.items()
            for key in entries(settings, name)
        ),
    )


def risk_rules() -> str:
    """Return the table of the pre-trade rules in the order in which they look at an order."""
    from quarterdeck.core.risk.gate import RULES

    rows = []
    for rule in RULES:
        module = rule.__module__
        about = (sys.modules[module].__doc__ or "").split("\n\n", maxsplit=1)[0]
        how = " ".join((rule.__doc__ or "").split())
        rows.append([code(module.rpartition(".")[2]), " ".join(about.split()), how])
    return table(["rule", "what holds", "what is refused, and the source"], rows)


def algorithms() -> str:
    """Return each execution algorithm with the table of its parameters."""
    from quarterdeck.core.algos.registry import KINDS

    parts = []
    for kind in KINDS.values():
        rows = [
            [
                code(p.name),
                p.kind.value,
                f"{p.low} to {p.high}",
                "refused" if p.default is None else code(str(p.default)),
                p.text,
            ]
            for p in kind.parameters
        ]
        parts.append(f"**{kind.name}**. {kind.text}")
        if rows:
            parts.append(table(["parameter", "kind", "allowed", "when left out", "meaning"], rows))
    return "\n\n".join(parts)


def crash_points() -> str:
    """Return the table of the instants at which tests kill a process."""
    from quarterdeck.telemetry.crash import POINTS

    return table(["instant", "what is true there"], ([code(n), t] for n, t in POINTS.items()))


SECTIONS: Final[Mapping[str, Callable[[], str]]] = {
    "configuration-keys": configuration_keys,
    "crash-points": crash_points,
    "metrics": metrics,
    "reason-codes": reason_codes,
    "risk-rules": risk_rules,
    "parent-states": parent_states,
    "child-states": child_states,
    "order-message": order_message,
    "algorithms": algorithms,
    "amend-message": amend_message,
    "import-layers": import_layers,
    "dev-commands": dev_commands,
}


def documents(root: Path) -> list[Path]:
    """Return every Markdown file of the project, sorted."""
    return sorted(
        path
        for path in root.rglob("*.md")
        if not any(
            part.startswith(".") or part in NOT_OURS for part in path.relative_to(root).parts
        )
    )


def regenerate(text: str, sections: Mapping[str, Callable[[], str]], where: str) -> str:
    """Return the document with every generated part made anew.

    Raises:
        MarkerError: if a marker is unknown, not closed, closed twice or nested.
    """
    parts: list[str] = []
    position = 0
    markers = iter(_MARKER.finditer(text))
    for start in markers:
        name = start["name"]
        line = text.count("\n", 0, start.start()) + 1
        place = f"{where}:{line}"
        if start["end"]:
            raise MarkerError(f"{place}: /generated:{name} closes nothing")
        if name not in sections:
            raise MarkerError(f"{place}: no section {name!r}; there are: {', '.join(sections)}")
        end = next(markers, None)
        if end is None or not end["end"] or end["name"] != name:
            raise MarkerError(f"{place}: generated:{name} has no <!-- /generated:{name} --> after")
        parts += [text[position : start.end()], "\n\n", sections[name]().strip("\n"), "\n\n"]
        position = end.start()
    return "".join([*parts, text[position:]])


def outdated(root: Path, sections: Mapping[str, Callable[[], str]]) -> dict[Path, str]:
    """Return the documents whose generated parts differ, each with its current text.

    Raises:
        MarkerError: if a document's markers cannot be followed, or a section stands nowhere.
    """
    changed: dict[Path, str] = {}
    seen: set[str] = set()
    for path in documents(root):
        old = path.read_text(encoding="utf-8")
        seen.update(found["name"] for found in _MARKER.finditer(old))
        new = regenerate(old, sections, str(path.relative_to(root)))
        if new != old:
            changed[path] = new
    missing = sorted(set(sections) - seen)
    if missing:
        raise MarkerError(f"no document has a marker for: {', '.join(missing)}")
    return changed


def main(arguments: Sequence[str]) -> int:
    """Write the generated parts, or with `--check` say which are not current."""
    if list(arguments) not in ([], ["--check"]):
        sys.stderr.write("usage: python tools/generate_docs.py [--check]\n")
        return 2
    try:
        changed = outdated(ROOT, SECTIONS)
    except MarkerError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    for path, text in changed.items():
        if arguments:
            sys.stderr.write(f"not current: {path.relative_to(ROOT)}\n")
        else:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 1 if arguments and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
