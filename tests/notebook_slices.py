"""What the cells of a notebook need of each other: program slices over the names of its top level.

A cell needs the names that it reads before it binds them, and a function that it names needs what the function's body
reads when it is called. Needed with a name are the last cell that binds it, and the cells after that one which change
its object: by an assignment to an attribute or an item, by a call such as ``results.append(...)`` or
``maps.clamp_()``, or from inside a function. A loop counts as passed at least once. Not seen is what a function of
another module does to its arguments.
"""

import ast
import copy
import symtable
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

# Of a module, other methods change nothing that a later cell would see; ``torch.manual_seed`` does.
CHANGING = set("add append clear extend insert manual_seed pop remove seed setdefault sort update use".split())


class _AsGenerators(ast.NodeTransformer):
    """Comprehensions as generators: from Python 3.12 on, variables of the others stand in the table around them."""

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.AST:
        return self.generic_visit(ast.GeneratorExp(node.elt, node.generators))

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        return self.generic_visit(ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators))


def read_by(node: ast.AST) -> set[str]:
    """The global names that a piece of code reads, function bodies included; Python's own tables know the scopes."""

    def inside(table: symtable.SymbolTable) -> Iterator[str]:
        for child in table.get_children():
            yield from (symbol.get_name() for symbol in child.get_symbols() if symbol.is_global())
            yield from inside(child)

    table = symtable.symtable(ast.unparse(_AsGenerators().visit(copy.deepcopy(node))), "cell", "exec")
    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()} | set(inside(table))


def changed_by(node: ast.AST, modules: Collection[str]) -> set[str]:
    """The names whose objects a piece of code may change in place."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute | ast.Subscript) and not isinstance(part.ctx, ast.Load):
            found.add(root(part))
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
            method = part.func.attr
            if method in CHANGING or (method.endswith("_") and not method.startswith("_")):
                found.add(root(part.func))
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):  # called for its effect alone
            found |= {root(part.value.func)} - set(modules) if isinstance(part.value.func, ast.Attribute) else set()
        elif isinstance(part, ast.Global):
            found |= set(part.names)
    return found - {""}


def root(node: ast.AST) -> str:
    """``a`` of ``a.b[0].c``; "" for what does not begin with a name, as the result of a call."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The names that an import binds."""
    return {alias.asname or alias.name.split(".")[0] for alias in node.names}


@dataclass
class Cell:
    """What one cell does with the names of the notebook."""

    modules: Collection[str] = ()
    needs: set[str] = field(default_factory=set)  # read before the cell binds them
    loads: set[str] = field(default_factory=set)  # read at all
    binds: set[str] = field(default_factory=set)  # bound whichever branch is taken
    may_bind: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)  # bound, or of an object that may be changed in place
    calls: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)  # function: what it reads and changes

    def read(self, *nodes: ast.AST | None) -> None:
        for node in filter(None, nodes):
            names = read_by(node)
            self.loads |= names
            self.needs |= names - self.binds
            self.changes |= changed_by(node, self.modules)
            self.bind(*(part.target for part in ast.walk(node) if isinstance(part, ast.NamedExpr)))

    def bind(self, *targets: ast.AST | None) -> None:
        for target in filter(None, targets):
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):  # a of a[0] = ...
                    self.read(part)
                elif isinstance(part, ast.Name):
                    self.bind_names({part.id})
            self.changes |= changed_by(target, self.modules)

    def bind_names(self, names: set[str]) -> None:
        self.binds |= names
        self.may_bind |= names

    def run(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self.run_one(statement)

    def run_one(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self.define(node)
            case ast.Import() | ast.ImportFrom():
                self.bind_names(imported(node))
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                self.assign(node)
            case ast.For() | ast.AsyncFor():
                self.read(node.iter)
                self.bind(node.target)
                self.run([*node.body, *node.orelse])
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self.read(item.context_expr)
                    self.bind(item.optional_vars)
                self.run(node.body)
            case ast.While():
                self.read(node.test)
                self.run([*node.body, *node.orelse])
            case ast.If():
                self.read(node.test)
                self.either(node.body, node.orelse)
            case ast.Try():
                self.either([*node.body, *node.orelse], *(handler.body for handler in node.handlers))
                self.run(node.finalbody)
            case ast.Match():
                self.read(node.subject, *(case.guard for case in node.cases))
                self.either(*(case.body for case in node.cases), [])
            case ast.Delete():
                self.read(*node.targets)
                self.changes |= {root(target) for target in node.targets}
            case _:
                self.read(node)

    def define(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        body = read_by(node), changed_by(node, self.modules)
        self.read(*node.decorator_list)
        if isinstance(node, ast.ClassDef) or node.decorator_list:  # the body runs at once, or the decorator may run it
            self.read(node)
        else:
            self.read(*node.args.defaults, *node.args.kw_defaults)
        self.calls[node.name] = body
        self.bind_names({node.name})

    def assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if isinstance(node, ast.AugAssign):
            names = {root(node.target)}
            self.loads |= names
            self.needs |= names - self.binds
            self.changes |= names
        self.read(node.value)
        self.bind(*targets)
        for part in ast.walk(node):
            if isinstance(part, ast.Lambda):
                for name in {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}:
                    reads, changes = self.calls.get(name, (set(), set()))
                    self.calls[name] = reads | read_by(part), changes | changed_by(part, self.modules)

    def either(self, *branches: list[ast.stmt]) -> None:
        before, after = set(self.binds), []
        for branch in branches:
            self.binds = set(before)
            self.run(branch)
            after.append(self.binds)
        self.binds = set.intersection(*after)


class Notebook:
    """The cells of a notebook, by number, and what they need of each other.

    Raises:
        SyntaxError: A cell is not Python.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        trees = [ast.parse(source) for source in sources]
        imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {name for node in imports for name in imported(node)}
        self.cells, self.calls = [Cell(modules) for _ in trees], {}
        for cell, tree in zip(self.cells, trees, strict=True):
            cell.run(tree.body)
            for name, (reads, changes) in cell.calls.items():
                known = self.calls.get(name, (set(), set()))
                self.calls[name] = known[0] | reads, known[1] | changes
        for cell in self.cells:
            reads, changes = self._called(cell.loads)
            cell.needs |= reads - cell.binds
            cell.changes |= cell.may_bind | changes

    def _called(self, names: set[str]) -> tuple[set[str], set[str]]:
        """What the functions among some names read and change, those that they call included."""
        reads, changes, waiting, seen = set(), set(), set(names), set()
        while waiting:
            name = waiting.pop()
            seen.add(name)
            more, changed = self.calls.get(name, (set(), set()))
            reads, changes, waiting = reads | more, changes | changed, waiting | more - seen
        return reads, changes

    def needed_for(self, wanted: Collection[int]) -> list[int]:
        """The cells that have to run, in order, for the wanted ones to do what they do in the notebook."""
        kept, needed = [], set()
        for number in reversed(range(len(self.cells))):
            cell = self.cells[number]
            if number in wanted or needed & cell.changes:
                kept.append(number)
                needed = (needed - cell.binds) | cell.needs
        return kept[::-1]

    def users_of(self, number: int) -> list[int]:
        """The later cells that take a name which this cell binds, in order."""
        names = set(self.cells[number].binds)
        found = []
        for later in range(number + 1, len(self.cells)):
            if names & self.cells[later].needs:
                found.append(later)
            names -= self.cells[later].binds
        return found

    def hidden(self) -> list[tuple[str, int, int]]:
        """Names that mean something else after "Run all" than to a cell that takes them from an earlier one.

        Returns:
            (name, cell that takes it, later cell that binds it again).
        """
        binders = {}
        for number, cell in enumerate(self.cells):
            for name in cell.may_bind:
                binders.setdefault(name, []).append(number)
        taken = [(name, number) for number, cell in enumerate(self.cells) for name in sorted(cell.needs)]
        return [
            (name, number, again)
            for name, number in taken
            for again in binders.get(name, [])
            if again >= number > binders[name][0]
        ]


def reduced(sources: Sequence[str], wanted: Collection[int]) -> dict[int, str]:
    """The wanted cells as they are, and of the others only the statements that these need.

    Returns:
        Number of a cell -> its source, without the cells of which nothing is needed.
    """
    parts = [(number, ast.unparse(node)) for number, source in enumerate(sources) for node in ast.parse(source).body]
    all_of_wanted = [place for place, (number, _) in enumerate(parts) if number in wanted]
    found: dict[int, list[str]] = {}
    for place in Notebook(source for _, source in parts).needed_for(all_of_wanted):
        number, source = parts[place]
        found.setdefault(number, []).append(source)
    return {number: sources[number] if number in wanted else "\n".join(kept) for number, kept in found.items()}
