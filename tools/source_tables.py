"""Parts of documents read from source text: a class's fields with their words, a module's diagram.

The source is read, not imported: what stands under a field as a string is not kept at run time,
and reading needs neither the package nor its libraries.
"""

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct


class Entry(Struct, frozen=True, kw_only=True):
    """One field of a class: as written, with the text that stands under it."""

    name: str
    kind: str
    """The annotation, empty for an enumeration's member."""
    default: str
    """The value as written; empty when there is none."""
    text: str


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; a bar inside a cell is escaped, a line break becomes a space."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Return the text as inline code, and nothing for nothing."""
    return f"`{text}`" if text else ""


def diagram(source: Path) -> str:
    """Return the first indented block of a module's docstring as a code block.

    Raises:
        LookupError: if the docstring has none.
    """
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    found = re.search(r"\n\n((?: {4}.*\n|\n)+)", f"{said}\n")
    if found is None:
        raise LookupError(f"{source} draws nothing in its docstring")
    return f"```text\n{textwrap.dedent(found[1]).strip('\n')}\n```"


def entries(source: Path, class_name: str) -> list[Entry]:
    """Return the fields or members of a class in the order of the file.

    Raises:
        LookupError: if the file has no such class, or the class has no field.
    """
    tree = ast.parse(source.read_text(encoding="utf-8"))
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == class_name
    ]
    if not found:
        raise LookupError(f"{source} has no class {class_name}")
    listed = list(_entries(found[0].body))
    if not listed:
        raise LookupError(f"{source}: {class_name} has no field")
    return listed


def _entries(body: Sequence[ast.stmt]) -> Iterator[Entry]:
    for place, statement in enumerate(body):
        follows = body[place + 1] if place + 1 < len(body) else None
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                kind = ast.unparse(annotation)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                kind = ""
            case _:
                continue
        if not name.startswith("_"):
            yield Entry(name=name, kind=kind, default=_default_of(value), text=_text_of(follows))


def _default_of(value: ast.expr | None) -> str:
    match value:
        case None:
            return ""
        case ast.Attribute(attr=member):
            return member
        case ast.Call(keywords=[ast.keyword(arg="default_factory", value=ast.Name(id="dict"))]):
            return "{}"
        case _:
            return ast.unparse(value)


def _text_of(statement: ast.stmt | None) -> str:
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
        case _:
            return ""
