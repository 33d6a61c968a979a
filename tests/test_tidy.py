"""House rules that no linter knows, checked over the whole tree.

Each rule is a function from one file to its offences, and each is first shown a bad example, so
that a rule which stopped finding anything is noticed.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
CODE: Final = ("src", "tests", "tools", "benchmarks", "examples")
FILE_LINES_MAX: Final = 400
FUNCTION_LINES_MAX: Final = 60
FORBIDDEN_STEMS: Final = frozenset({"utils", "helpers", "manager", "common", "base"})

# What is longer than allowed today: "path" or "path::function" to its lines. A number here may
# only fall, and a line disappears when its file or function fits. New lines are not added.
RATCHET: Final[dict[str, int]] = {}

Offences = Iterator[str]


def python_files(*folders: str) -> list[Path]:
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "__pycache__" not in path.parts
    )


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def listing(offences: Iterable[str]) -> str:
    """Return one offence per line; pytest cuts a list short and a message not."""
    return "\n" + "\n".join(offences)


def docstring_missing(source: str) -> Offences:
    tree = ast.parse(source)
    if tree.body and not ast.get_docstring(tree):
        yield "the module does not say what it is"


def floats(source: str) -> Offences:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id="float"):
                yield f"line {node.lineno}: float"
            case ast.Constant(value=float()):
                yield f"line {node.lineno}: {node.value!r} is a float"


def sleeps(source: str) -> Offences:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr="sleep")):
                yield f"line {node.lineno}: wait for a condition with a deadline instead"
            case ast.ImportFrom(module="time", names=names):
                if any(name.name == "sleep" for name in names):
                    yield f"line {node.lineno}: wait for a condition with a deadline instead"


def swallowed_exceptions(source: str) -> Offences:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield f"line {node.lineno}: bare except"
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = any(
            isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}
            for kind in caught
        )
        if broad and all(_does_nothing(statement) for statement in node.body):
            yield f"line {node.lineno}: swallows every exception"


def _does_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Continue() | ast.Expr(value=ast.Constant()):
            return True
        case _:
            return False


def addresses(source: str) -> Offences:
    for number, line in enumerate(source.splitlines(), start=1):
        if "://" in line or " @ " in line:
            yield f"line {number}: names an address"


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yield each function's qualified name and its lines, decorators not counted."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                assert node.end_lineno is not None
                yield f"{prefix}{node.name}", node.end_lineno - node.lineno + 1
                yield from functions(node, f"{prefix}{node.name}.")
            case ast.ClassDef():
                yield from functions(node, f"{prefix}{node.name}.")
            case _:
                yield from functions(node, prefix)


def oversized(name: str, source: str) -> dict[str, int]:
    lines = len(source.splitlines())
    found = {name: lines} if lines > FILE_LINES_MAX else {}
    for function, length in functions(ast.parse(source)):
        if length > FUNCTION_LINES_MAX:
            found[f"{name}::{function}"] = length
    return found


BAD_EXAMPLES: Final = [
    (docstring_missing, "X = 1\n"),
    (floats, "def f(x: float) -> None: ...\n"),
    (floats, "PRICE = 1.5\n"),
    (floats, "def f(x: list[float | None]): ...\n"),
    (sleeps, "import time\ntime.sleep(1)\n"),
    (sleeps, "from time import monotonic, sleep\n"),
    (swallowed_exceptions, "try:\n    f()\nexcept:\n    raise\n"),
    (swallowed_exceptions, "try:\n    f()\nexcept Exception:\n    pass\n"),
    (swallowed_exceptions, "try:\n    f()\nexcept (OSError, BaseException):\n    ...\n"),
    (addresses, "--index-url https://example.invalid/simple\n"),
    (addresses, "thing @ git+ssh\n"),
]

GOOD_EXAMPLES: Final = [
    (docstring_missing, ""),
    (docstring_missing, '"""What it is."""\nX = 1\n'),
    (floats, "def f(x: int) -> Decimal: return Decimal('1.5')\n"),
    (sleeps, '"""Says time.sleep(1) in words only."""\n'),
    (swallowed_exceptions, "try:\n    f()\nexcept OSError:\n    pass\n"),
    (swallowed_exceptions, "try:\n    f()\nexcept Exception as error:\n    stop(error)\n"),
    (addresses, "aiohttp==3.14.5 --hash=sha256:00\n"),
]

RULES: Final = [
    (docstring_missing, python_files("src", "tools")),
    (floats, python_files("src/quarterdeck/core", "src/drydock/core")),
    (sleeps, python_files("src", "tests")),
    (swallowed_exceptions, python_files(*CODE)),
    (addresses, [*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "tools/uv.txt"]),
]


def rule_id(value: object) -> str | None:
    return value.__name__ if callable(value) else None


@pytest.mark.parametrize(("rule", "source"), BAD_EXAMPLES, ids=rule_id)
def test_rule_finds_its_bad_example(rule: Callable[[str], Offences], source: str):
    assert list(rule(source))


@pytest.mark.parametrize(("rule", "source"), GOOD_EXAMPLES, ids=rule_id)
def test_rule_leaves_a_good_example_alone(rule: Callable[[str], Offences], source: str):
    assert not list(rule(source))


@pytest.mark.parametrize(("rule", "files"), RULES, ids=[rule.__name__ for rule, _ in RULES])
def test_tree_keeps_the_rule(rule: Callable[[str], Offences], files: list[Path]):
    assert files, "the rule looks at no file at all"
    offences = [
        f"{name_of(path)}: {offence}"
        for path in files
        for offence in rule(path.read_text(encoding="utf-8"))
    ]
    assert not offences, listing(offences)


def test_size_is_measured():
    body = "    x = 1\n" * FUNCTION_LINES_MAX
    long_method = f"class A:\n  def f(self):\n{body}"
    assert oversized("a.py", long_method) == {"a.py::A.f": FUNCTION_LINES_MAX + 1}
    assert oversized("a.py", "x = 1\n" * (FILE_LINES_MAX + 1)) == {"a.py": FILE_LINES_MAX + 1}
    assert oversized("a.py", "x = 1\n" * FILE_LINES_MAX) == {}


def test_files_and_functions_are_small_and_the_ratchet_only_falls():
    found: dict[str, int] = {}
    for path in python_files(*CODE):
        found |= oversized(name_of(path), path.read_text(encoding="utf-8"))
    differing = {what: found.get(what, 0) for what in found.keys() | RATCHET.keys()}
    differing = {what: lines for what, lines in differing.items() if lines != RATCHET.get(what)}
    assert not differing, (
        f"at most {FILE_LINES_MAX} lines in a file and {FUNCTION_LINES_MAX} in a function; "
        "a number in RATCHET that is too high now is lowered (0: removed), never raised"
        + listing(f"{what}: {lines} lines" for what, lines in differing.items())
    )


def test_files_are_named_for_their_concept():
    named = [name_of(path) for path in python_files(*CODE) if path.stem in FORBIDDEN_STEMS]
    folders = [
        name_of(path)
        for folder in CODE
        for path in (ROOT / folder).rglob("*")
        if path.is_dir() and path.name in FORBIDDEN_STEMS
    ]
    assert not named + folders, listing(named + folders)


def test_names_of_test_files_are_unique():
    names = Counter(path.name for path in python_files("tests") if path.name.startswith("test_"))
    repeated = [name for name, count in names.items() if count > 1]
    assert not repeated, listing(repeated)


def test_process_tests_are_marked_so_that_they_run_alone():
    unmarked = [
        name_of(path)
        for path in python_files("tests/processes")
        if path.name.startswith("test_")
        and "pytest.mark.processes" not in path.read_text(encoding="utf-8")
    ]
    assert not unmarked, listing(unmarked)
