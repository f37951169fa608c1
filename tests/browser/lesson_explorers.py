"""The explorers of a lesson without the rest of it: what `test_explorers.py` mounts in the browser.

Of the complete lesson's code those statements run that an explorer depends on by name: the call that makes it, what
defines the names in that call, what those need, and so on back to the imports. A call that changes a model and gives
nothing a name, as `fit(model, ...)` does, is left out: such a model is there untrained. All else is as in the lesson:
its functions, its data, the reference models, the arguments and the start. Where a lesson changes, this follows.
"""

import ast
import symtable
from dataclasses import dataclass

from lesson_cells import lesson_cells

from course_utils import widgets


@dataclass
class Statement:
    """A top-level statement of a lesson, and the names in it."""

    tree: ast.stmt
    defines: set[str]
    changes: set[str]  # by a method, an attribute or an item
    uses: set[str]
    later: set[str]  # used in functions that it defines, when they are called


COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}  # the parts that run at once
UNSURE = (ast.If, ast.While, ast.Try, ast.AugAssign)  # an earlier value of the names that these define counts too


def _read(tree: ast.stmt) -> Statement:
    """Read one statement; of a loop or a `with`, what stands in it is read in its order."""
    if isinstance(tree, (ast.For, ast.If, ast.With)):
        if isinstance(tree, ast.For):
            head = [ast.Assign([tree.target], tree.iter)]
        elif isinstance(tree, ast.If):
            head = [ast.Expr(tree.test)]
        else:
            head = [ast.Assign([each.optional_vars or ast.Name("_")], each.context_expr) for each in tree.items]
        whole = Statement(tree, set(), set(), set(), set())
        for part in map(_read, [*map(ast.fix_missing_locations, head), *tree.body, *getattr(tree, "orelse", [])]):
            whole.uses |= part.uses - (set() if isinstance(tree, ast.If) else whole.defines)
            whole.defines |= part.defines
            whole.changes |= part.changes
            whole.later |= part.later
        return whole
    table = symtable.symtable(ast.unparse(tree), "<lesson>", "exec")
    defines = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    uses, later = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}, set()
    inner = [(child, uses) for child in table.get_children()]
    while inner:
        child, into = inner.pop()
        into = into if child.get_name() in COMPREHENSIONS else later
        into |= {symbol.get_name() for symbol in child.get_symbols() if symbol.is_global()}
        inner += [(grandchild, into) for grandchild in child.get_children()]
    changes = set()
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Call):  # name.method(...)
        changes |= _owner(tree.value.func)
    for target in getattr(
        tree, "targets", [getattr(tree, "target", None)]
    ):  # name[...] = and name.x =, also in a tuple
        changes = changes.union(*map(_owner, getattr(target, "elts", [target])))
    return Statement(tree, defines, changes, uses, later)


def _owner(node: ast.AST | None) -> set[str]:
    """The name before the first dot or bracket of `name.part[...]`."""
    inside = node
    while isinstance(inside, (ast.Attribute, ast.Subscript)):
        inside = inside.value
    return {inside.id} if isinstance(inside, ast.Name) and inside is not node else set()


def statements(number: str) -> list[Statement]:
    """The statements of a lesson's code cells, in order."""
    return [_read(tree) for source in lesson_cells(number).values() for tree in ast.parse(source).body]


def makes(tree: ast.stmt) -> list[str]:
    """The kinds of explorers that a statement makes, by the names of their classes; a function makes none by itself."""
    if isinstance(tree, (ast.FunctionDef, ast.ClassDef)):
        return []
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [getattr(node, "attr", getattr(node, "id", "")) for node in called]
    return [name for name in names if name in widgets.__all__ and name[0].isupper()]  # no helpers


def needed(everything: list[Statement]) -> list[ast.stmt]:
    """The statements that the explorers among these depend on, and theirs, in order."""
    modules = {
        name for each in everything if isinstance(each.tree, (ast.Import, ast.ImportFrom)) for name in each.defines
    }
    explorers = {name for each in everything if makes(each.tree) for name in each.defines}
    wanted = set()
    for explorer, last in enumerate(everything):
        if not (makes(last.tree) or explorers & last.changes and ".move_to(" in ast.unparse(last.tree)):
            continue
        wanted.add(explorer)
        # A function looks its names up when it is called, which is after the explorer was made.
        known = {(name, explorer) for name in last.uses | last.later}
        names = [*known]
        while names:
            name, end = names.pop()
            for place in reversed(range(end)):
                each = everything[place]
                if name in each.defines or name in each.changes - modules:
                    wanted.add(place)
                    more = {(use, place) for use in each.uses} | {(use, explorer) for use in each.later}
                    names += more - known
                    known |= more
                if name in each.defines and not isinstance(each.tree, UNSURE):
                    break
    return [everything[place].tree for place in sorted(wanted)]


def build(number: str) -> list[widgets.Explorer]:
    """The explorers of a lesson, in the order in which it makes them."""
    everything, namespace = statements(number), {"__name__": f"lesson_{number}"}
    for tree in needed(everything):
        exec(compile(ast.Module([tree], []), f"<lesson {number}, line {tree.lineno} of a cell>", "exec"), namespace)
    explorers = [value for value in namespace.values() if isinstance(value, widgets.Explorer)]
    kinds = [type(explorer).__name__ for explorer in explorers]
    assert kinds == kinds_of(number), f"lesson {number} makes {kinds_of(number)}, but {kinds} could be found here"
    return explorers


def kinds_of(number: str) -> list[str]:
    """The kinds of explorers that a lesson makes, by the names of their classes, in order."""
    return [kind for each in statements(number) for kind in makes(each.tree)]


def show(number: str) -> None:
    """Build and mount them; this runs in a notebook's cell."""
    from IPython.display import display

    for explorer in build(number):
        display(explorer)
