"""The documents say what the tree is: paths, packages, modules, links and generated tables.

Whatever a document names in backticks and looks like a path must exist. Plans, as those of
docs/live/ROADMAP.md, are written without backticks where they name what is not there yet.
"""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tools import generate_docs

ROOT: Final = Path(__file__).resolve().parents[2]
LIVE: Final = ROOT / "docs/live"
DOCUMENTS: Final = generate_docs.documents(ROOT)
WHERE_PATHS_MUST_EXIST: Final = [
    path
    for path in DOCUMENTS
    if path.is_relative_to(ROOT / "docs") or path.name in {"README.md", "CONTRIBUTING.md"}
]

MADE_AT_RUN_TIME: Final = (".venv", ".uv", "var")
"""Folders that documents may name although a fresh clone does not have them."""

FILE_SUFFIXES: Final = (
    ".cfg .json .md .py .sh .sql .toml .txt .yaml .yml .parquet".split()  # noqa: SIM905
)

_FENCE = re.compile(r"^(?P<mark>```+|~~~+).*?^(?P=mark)\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_PATH = re.compile(r"[A-Za-z0-9_.*\-]+(/[A-Za-z0-9_.*\-]+)*/?")
# The lookbehind keeps folders of those names inside a project out.
_MACHINE = re.compile(r"(?<![\w.])/" + r"(?:root|home|Users)(?:/|\b)")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    """Return the text without its code blocks, with as many lines as before."""
    return _FENCE.sub(lambda block: "\n" * block.group().count("\n"), text)


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(prose(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def looks_like_a_path(token: str) -> bool:
    """Tell a path of this repository from an API route, a media type or a Python expression."""
    if not _PATH.fullmatch(token) or (token.startswith((".", "*")) and "/" not in token):
        return False
    first = token.split("/", maxsplit=1)[0]
    if first in MADE_AT_RUN_TIME:
        return False
    if "/" not in token:
        return token.endswith(tuple(FILE_SUFFIXES))
    in_the_tree = (ROOT / first).is_dir() or (ROOT / "src/quarterdeck" / first).is_dir()
    return in_the_tree or token.endswith(("/", *FILE_SUFFIXES))


def stands(token: str, beside: Path) -> bool:
    """Tell whether a path exists from the root, from `src/quarterdeck` or beside the document."""
    bases = (ROOT, ROOT / "src", ROOT / "src/quarterdeck", beside.parent)
    return any(next(base.glob(token.rstrip("/")), None) is not None for base in bases)


def rows_under(text: str, *header: str) -> list[list[str]]:
    """Return the cells of every table whose first header cells are the given ones."""
    rows: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif tuple(cell.lower() for cell in cells[: len(header)]) == header:
            inside = True
        elif inside and not set("".join(cells)) <= set("-: "):
            rows.append(cells)
    return rows


def packages() -> Iterator[Path]:
    """Yield every folder under src that holds Python files."""
    holders = {path.parent for path in (ROOT / "src").rglob("*.py")}
    yield from sorted(folder for folder in holders if "__pycache__" not in folder.parts)


def broken_links(document: Path) -> Iterator[str]:
    for target in _LINK.findall(prose(read(document))):
        if re.match(r"[a-z][a-z0-9+.\-]*:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (document.parent / place).resolve() if place else document
        if not file.exists() or not file.is_relative_to(ROOT):
            yield f"{name_of(document)}: {target} leads nowhere"
        elif anchor and anchor not in anchors(read(file)):
            yield f"{name_of(document)}: {target} names no heading"


def dev_commands() -> set[str]:
    shown = subprocess.run(["sh", ROOT / "dev", "help"], check=True, capture_output=True, text=True)
    return set(re.findall(r"^  ([a-z]+) ", shown.stdout, re.MULTILINE))


def text_files() -> Iterator[Path]:
    skipped = {"node_modules", "__pycache__", *MADE_AT_RUN_TIME}
    for top in sorted(ROOT.iterdir()):
        hidden = top.name.startswith(".") and top.name not in {".ci", ".github"}
        if top.name in skipped or (hidden and top.is_dir()):
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and not skipped & set(path.relative_to(ROOT).parts):
                yield path


@pytest.mark.parametrize("document", WHERE_PATHS_MUST_EXIST, ids=name_of)
def test_every_path_named_exists(document: Path):
    tokens = [token for token in _CODE.findall(prose(read(document))) if looks_like_a_path(token)]
    missing = [token for token in tokens if not stands(token, document)]
    assert not missing, missing


def test_every_package_is_in_file_organization():
    text = read(LIVE / "FILE_ORGANIZATION.md")
    listed = {row[0].strip("`").rstrip("/"): row[1] for row in rows_under(text, "path", "purpose")}
    missing = [name_of(folder) for folder in packages() if not listed.get(name_of(folder))]
    assert not missing, missing


def test_every_folder_of_the_root_is_in_file_organization():
    text = read(LIVE / "FILE_ORGANIZATION.md")
    listed = {row[0].strip("`").split("/")[0] for row in rows_under(text, "path", "purpose")}
    made = {*MADE_AT_RUN_TIME, "dist", "node_modules", "__pycache__"}
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    shown = {name for name in folders - made if not name.startswith(".")}
    missing = sorted(shown - listed)
    assert not missing, missing


def test_every_component_of_the_architecture_names_its_module():
    rows = rows_under(read(LIVE / "ARCHITECTURE.md"), "component", "module")
    assert len(rows) > 5
    for component, module, *rest in rows:
        named = _CODE.findall(module)
        assert named, f"{component} names no module"
        assert "".join(rest), f"{component} does not say what it owns"
        for token in named:
            assert (ROOT / token).exists(), f"{component} names {token}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_and_anchors_resolve(document: Path):
    missing = list(broken_links(document))
    assert not missing, missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_dev_command_named_exists(document: Path):
    named = set(re.findall(r"\./dev ([a-z]+)", read(document)))
    unknown = named - dev_commands()
    assert not unknown, unknown


def test_generated_sections_are_current():
    changed = generate_docs.outdated(ROOT, generate_docs.SECTIONS)
    stale = [name_of(path) for path in changed]
    assert not stale, f"run .venv/bin/python tools/generate_docs.py: {stale}"


def test_no_file_speaks_of_a_machine():
    found = []
    for path in text_files():
        try:
            text = read(path)
        except UnicodeDecodeError:
            continue  # not a text
        lines = enumerate(text.splitlines(), start=1)
        found += [f"{name_of(path)}:{number}" for number, line in lines if _MACHINE.search(line)]
    assert not found, found


# The checks themselves, on examples.


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("src/quarterdeck/core", True),
        ("core/model/ids.py", True),
        ("docs/adr/", True),
        ("gone/folder/", True),
        ("pyproject.toml", True),
        ("/api/orders", False),
        ("application/json", False),
        ("quarterdeck.core.model", False),
        (".venv/bin/python", False),
        ("filled + exposed", False),
        ("POST /api/orders", False),
    ],
)
def test_paths_are_told_from_other_code(token: str, expected: bool):
    assert looks_like_a_path(token) is expected


def test_anchors_follow_github():
    text = "# One idea: `decide`, apply\n```\n# not a heading\n```\n## Again\n## Again\n"
    assert anchors(text) == {"one-idea-decide-apply", "again", "again-1"}


def test_machine_paths_are_seen():
    slash = "/"
    assert _MACHINE.search(f"see {slash}home{slash}someone{slash}main")
    assert _MACHINE.search(f"in {slash}root{slash}.pyenv")
    assert not _MACHINE.search("tests/home/flow and docs/root/x")


def test_tables_are_read_by_their_header():
    text = "| path | purpose |\n|---|---|\n| `a` | x |\n\n| other | purpose |\n|---|---|\n| b | y |"
    assert rows_under(text, "path", "purpose") == [["`a`", "x"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- generated:nope -->\n<!-- /generated:nope -->", "no section 'nope'"),
        ("<!-- generated:one -->\ntext", "has no <!-- /generated:one -->"),
        ("<!-- generated:one -->\n<!-- /generated:two -->", "has no <!-- /generated:one -->"),
        ("text\n<!-- /generated:one -->", "x.md:2: /generated:one closes nothing"),
    ],
)
def test_generator_refuses_markers_it_cannot_follow(text: str, said: str):
    with pytest.raises(generate_docs.MarkerError, match=re.escape(said)):
        generate_docs.regenerate(text, {"one": lambda: "made"}, "x.md")


def test_generator_writes_what_is_between_the_markers_and_nothing_else():
    old = "before\n<!-- generated:one -->\nold\n<!-- /generated:one -->\nafter\n"
    new = generate_docs.regenerate(old, {"one": lambda: "made"}, "x.md")
    expected = "before\n<!-- generated:one -->\n\nmade\n\n<!-- /generated:one -->\nafter\n"
    assert new == expected
    assert generate_docs.regenerate(new, {"one": lambda: "made"}, "x.md") == new


def test_generator_fails_when_a_section_stands_nowhere(tmp_path: Path):
    (tmp_path / "a.md").write_text("no marker\n", encoding="utf-8")
    with pytest.raises(generate_docs.MarkerError, match="no document has a marker for: one"):
        generate_docs.outdated(tmp_path, {"one": lambda: "made"})
