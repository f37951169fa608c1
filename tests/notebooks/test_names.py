"""A lesson's sections may be skipped, and its explorers used at any time: which names that asks for.

A further section needs the core alone, or says at its beginning what else: 'This section needs the section "UMAP".'
An explorer keeps functions, so what these read must stay what it is in all cells below. No cell runs here: what counts
is where names are bound.
"""

import ast
import builtins
import re
from dataclasses import dataclass, field

import pytest
from lesson_cells import ROOT, lesson_source
from notebook_sources import named_cells

NUMBERS = sorted(path.name[:2] for path in (ROOT / "notebooks" / "src").glob("*.py"))
KNOWN = set(dir(builtins)) | {"__name__", "display", "get_ipython"}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSION = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Names:
    """Of a piece of code: global names that it reads at once, that its functions read when called, that it binds."""

    now: list[str] = field(default_factory=list)
    late: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)


def own_names(function) -> set[str]:
    """What a function's body or a comprehension binds in its own scope."""
    if isinstance(function, COMPREHENSION):
        return {one.id for part in function.generators for one in ast.walk(part.target) if isinstance(one, ast.Name)}
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    body = function.body if isinstance(function.body, list) else [function.body]
    inner = Names()
    for node in body:
        read(node, inner, set(), False)
    told = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    return {one.arg for one in every if one} | inner.bound - told


def read(node, names: Names, local: set[str], late: bool):
    """Collect the names of a piece of code whose scope has these local names; late: in a function's body."""
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load):
            if node.id not in local:
                names.late.add(node.id) if late else names.now.append(node.id)
        elif node.id not in local:
            names.bound.add(node.id)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        names.bound |= {(one.asname or one.name).split(".")[0] for one in node.names} - local
    elif isinstance(node, FUNCTION):
        before = [*node.args.defaults, *(one for one in node.args.kw_defaults if one)]
        for part in [*before, *getattr(node, "decorator_list", [])]:
            read(part, names, local, late)
        inner = Names()
        body = node.body if isinstance(node.body, list) else [node.body]
        for part in body:
            read(part, inner, local | own_names(node), True)
        names.late |= inner.late
        if not isinstance(node, ast.Lambda) and node.name not in local:
            names.bound.add(node.name)
    elif isinstance(node, ast.ClassDef):
        inner = Names()
        for part in [*node.bases, *node.keywords, *node.decorator_list]:
            read(part, names, local, late)
        for part in node.body:
            read(part, inner, local, late)
        names.now += [name for name in inner.now if name not in inner.bound]
        names.late |= inner.late - {node.name}
        names.bound |= {node.name} - local
    elif isinstance(node, COMPREHENSION):
        for part in ast.iter_child_nodes(node):
            read(part, names, local | own_names(node), late)
    elif isinstance(node, (ast.For, ast.AsyncFor)):
        for part in [node.iter, node.target, *node.body, *node.orelse]:
            read(part, names, local, late)
    elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id not in local:
            names.late.add(node.target.id) if late else names.now.append(node.target.id)
        for part in [node.value, *targets]:
            if part is not None:
                read(part, names, local, late)
    elif isinstance(node, ast.ExceptHandler):
        names.bound |= {node.name} - local if node.name else set()
        for part in ast.iter_child_nodes(node):
            read(part, names, local, late)
    else:
        for part in ast.iter_child_nodes(node):
            read(part, names, local, late)


def of(node) -> Names:
    """The names of a statement or an expression at the level of a cell."""
    names = Names()
    read(node, names, set(), False)
    return names


def statements(number: str) -> list[tuple[str, str, ast.stmt]]:
    """A lesson's statements in order, each with its section and cell; the section is "" in the core."""
    found, section = [], ""
    for cell in named_cells(lesson_source(number)):
        if cell.kind == "markdown":
            headings = re.findall(r"(?m)^## (.+)$", cell.source)
            if headings and (section or headings[-1].startswith("Further:")):
                section = headings[-1]
        elif cell.kind == "code" and "{{" not in cell.source:
            lines = ["pass" if line.startswith(("%", "!")) else line for line in cell.source.split("\n")]
            found += [(section, cell.name, node) for node in ast.parse("\n".join(lines)).body]
    return found


def needs(text: str) -> dict[str, list[str]]:
    """The other sections that each further section of a lesson's source says it needs: {section: sections}."""
    text = re.sub(r"(?m)^# ?", "", text)
    parts = re.split(r"(?m)^## (Further: .+)$", text)[1:]
    said = {
        title: re.findall(r"This section needs [^.]+\.", part)
        for title, part in zip(parts[::2], parts[1::2], strict=True)
    }
    return {title: [f"Further: {one}" for one in re.findall(r'"([^"]+)"', " ".join(found).replace("\n", " "))]
            for title, found in said.items()}  # fmt: skip


def borrowed(lesson: list[tuple[str, str, ast.stmt]], needed: dict[str, list[str]]) -> dict[str, list[str]]:
    """What further sections read that nothing they need, nor they themselves, have bound: {section: names}."""
    core, found, binds = set(KNOWN), {}, {}
    for section in dict.fromkeys(section for section, _, _ in lesson):
        bound, functions_read = set(), set()
        for one in needed.get(section, []):
            bound |= binds[one]  # all that it needs stands above
        for where, cell, node in lesson:
            if where != section:
                continue
            names = of(node)
            if section:
                missing = [name for name in names.now if name not in core | bound | names.bound]
                found.setdefault(section, []).extend(f"{name} in {cell}" for name in missing)
            functions_read |= {(name, cell) for name in names.late}
            bound |= names.bound
        binds[section] = bound
        if not section:
            core |= bound
            continue
        found[section] += [f"{name} in {cell}" for name, cell in sorted(functions_read) if name not in core | bound]
    return {section: sorted(set(names)) for section, names in found.items() if names}


def explorer_calls(node, makers: set[str]) -> list[ast.Call]:
    """Calls at the level of a cell that make explorers, which keep the functions they are given."""
    found, waiting = [], [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, FUNCTION):
            continue
        if isinstance(part, ast.Call):
            owner, _, name = ast.unparse(part.func).rpartition(".")
            if (owner == "widgets" and name[:1].isupper()) or (not owner and name in makers):
                found.append(part)
        waiting += ast.iter_child_nodes(part)
    return found


def changed_below(lesson: list[tuple[str, str, ast.stmt]]) -> list[str]:
    """Names that an explorer's functions read when it is used, and that statements below it bind to something else."""
    reads: dict[str, set[str]] = {}  # a function's name: what it reads when it is called
    makers, found, imports = {"interactive", "interact", "interactive_output"}, [], set()
    every = [of(node) for _, _, node in lesson]
    for k, (_, cell, node) in enumerate(lesson):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports.add(ast.unparse(node))
        if isinstance(node, ast.ImportFrom) and node.module == "course_utils.widgets":
            makers |= {one.asname or one.name for one in node.names if one.name[0].isupper()}
        for call in explorer_calls(node, makers):
            kept, waiting = set(), list(of(call).late)
            waiting += [name for one in of(call).now for name in reads.get(one, ())]
            while waiting:
                name = waiting.pop()
                if name not in kept:
                    kept.add(name)
                    waiting += reads.get(name, ())
            for (_, later, below), names in zip(lesson[k + 1 :], every[k + 1 :], strict=True):
                if ast.unparse(below) not in imports:  # to import the same once more changes nothing
                    found += [f"{name}, which {cell} reads, in {later}" for name in sorted(kept & names.bound)]
        names = every[k]
        if isinstance(node, FUNCTION) and any(explorer_calls(part, makers) for part in node.body):
            makers.add(node.name)
        for name in names.bound:
            is_function = isinstance(node, FUNCTION) or (isinstance(node, ast.Assign) and partly(node.value))
            reads[name] = names.late | (set(names.now) if is_function and isinstance(node, ast.Assign) else set())
    return list(dict.fromkeys(found))


def partly(value: ast.expr) -> bool:
    """Whether a value is functools' partial of something, or what `checks.accept` gives back."""
    return isinstance(value, ast.Call) and ast.unparse(value.func) in ("partial", "functools.partial", "checks.accept")


@pytest.mark.parametrize("number", NUMBERS)
def test_further_sections_need_the_core_alone(number):
    text = lesson_source(number).read_text(encoding="utf-8")
    assert borrowed(statements(number), needs(text)) == {}


@pytest.mark.parametrize("number", NUMBERS)
def test_explorers_keep_what_they_read(number):
    assert changed_below(statements(number)) == []


def lesson_of(*cells: str) -> list[tuple[str, str, ast.stmt]]:
    """Statements of made-up cells: the first is the core, each other one a section of its own."""
    return [
        (f"Further: {k}" if k else "", f"cell {k}", node)
        for k, cell in enumerate(cells)
        for node in ast.parse(cell).body
    ]


def test_what_is_borrowed_is_found():
    lesson = lesson_of(
        "x = 1\ndef f(a): return a + x", "y = f(x)\ndef late(): return z\nz = y", "print(y)", "def g(): return z"
    )
    assert borrowed(lesson, {}) == {"Further: 2": ["y in cell 2"], "Further: 3": ["z in cell 3"]}
    assert borrowed(lesson, {"Further: 2": ["Further: 1"], "Further: 3": ["Further: 1"]}) == {}
    inside = lesson_of(
        "x = 1", "[k for k in range(x)]\nprint(k)", "for k in [x]: print(k)\nlambda a, *b, c=x: (a, b, c, d)"
    )
    assert borrowed(inside, {}) == {"Further: 1": ["k in cell 1"], "Further: 2": ["d in cell 2"]}
    early = lesson_of("", "print(y)\ny = 1")
    assert borrowed(early, {}) == {"Further: 1": ["y in cell 1"]}


def test_what_a_section_says_it_needs():
    text = '# ## Further: a b\n# This section needs the sections "c\n# d" and "e". See "f".\nx = 1\n# ## Further: g\n'
    assert needs(text) == {"Further: a b": ["Further: c d", "Further: e"], "Further: g": []}


@pytest.mark.parametrize(
    ("explorer", "below", "changed"),
    [
        ("def f(k): return x[k]\nwidgets.FunctionSliders(f)", "for x in range(3): pass", ["x"]),
        ("def f(k, x=x): return x[k]\nwidgets.FunctionSliders(f)", "x = 3", []),
        ("def f(k): return g(k)\nwidgets.FunctionSliders(f)", "with open(x) as y, open(y) as x: pass", ["x"]),
        ("widgets.FunctionSliders(lambda k: g(k), x)", "def g(k): return k", ["g"]),
        ("widgets.FunctionSliders(partial(g, 1))", "import x", ["x"]),
        ("def make(f): return interactive(f)\nmake(lambda k: x[k])", "a, (x, b) = range(3)", ["x"]),
        ("f = lambda k: x\nwidgets.FunctionSliders(f)", "(x := 2)", ["x"]),
        ("widgets.FunctionSliders(x, y=g)", "x = [x for x in range(3)]", ["x"]),
        ("def f(k): return x\nplots.curves(f)", "x = 2", []),
        ("widgets.FunctionSliders(lambda k: x)", "def other():\n    x = 2\n[x for x in range(3)]", []),
    ],
)
def test_what_changes_below_an_explorer_is_found(explorer, below, changed):
    lesson = lesson_of("x = [1, 2]\nfrom functools import partial\ndef g(*k): return x", explorer, below)
    assert changed_below(lesson) == [f"{name}, which cell 1 reads, in cell 2" for name in changed]
