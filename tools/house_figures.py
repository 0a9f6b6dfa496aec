"""Print figures on the structure of a checkout: files, import cycles, docstrings and comments.

    python tools/house_figures.py [CHECKOUT] [--names]

Run it on two checkouts to compare them. `--names` lists the items counted. The package is not imported: all figures
come from the syntax trees of `src/realface`.

How each figure is counted:

- *Files*: Python files below `src`, `__init__.py` included; lengths are in lines, percentiles by nearest rank.
- *Imports*: every `import` of a realface module, also inside a function, except those under `if TYPE_CHECKING`. Imports
  by `realface/__init__.py`, which forwards names on first use, do not count.
- *Import cycles between modules*: groups of modules that import one another, directly or not (strongly connected
  components), within one package or across several.
- *Import cycles between packages*: the same for the direct children of each package, where a child represents all
  modules below it and at least one child of the group is a package.
- *Modules with one importer*: modules (no `__init__.py`, no `__main__.py`) that exactly one other module imports.
- *Walk of `train()`*: modules that define something reachable from `train` in `realface.training`. A call is followed
  if its name is imported from realface, defined in the same file, or an attribute of an imported realface module. A
  called class counts with all its methods. Calls on objects cannot be resolved and are not followed. Depth 1 is what
  `train` itself calls.
- *Class checks*: `isinstance` or `case` with a class defined in `models/METHOD`, and reads of `config.residual`, in
  files outside `models/METHOD`.
- *Public names*: modules, and functions, classes and methods without a leading underscore (overloads excluded).
- *Shapes*: public functions and methods with a NumPy array or tensor as a parameter whose docstring gives a shape, such
  as (B, 3, H, W), (N,) or "scalar". Mappings of tensors and pyarrow columns do not count.
- *Densest functions*: functions of at least 20 code lines with the most control flow per code line: branches, loops,
  comprehensions, boolean operators, updates in place, `break`, `continue`, and arithmetic inside an index. Code lines
  exclude the docstring, comments and blank lines; the comment share is comment lines per line of code or comment.
"""

from __future__ import annotations

import argparse
import ast
import io
import math
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

METHOD_FOLDERS = ("recce", "rffr", "baseline")
DEPTHS = (1, 2, 3)
FEWEST_CODE_LINES = 20
NUM_DENSEST = (5, 20)

ARRAY_TYPE = re.compile(r"\b(?:Tensor|ndarray|NDArray|ArrayLike|(?<!pa\.)[A-Z]\w*Array)\b")
NO_ONE_SHAPE = re.compile(r"^(?:dict|Mapping|MutableMapping|Callable)\[")
_DIMENSION = (
    r"(?:\.\.\.|[A-Z][A-Z_]+|\d*[A-Z]\w{0,2}|\d+|(?:[a-z]+_)*[a-z]+)"
    r"(?:\s?[-+*/x]+\s?(?:\d+|[A-Z]\w?|[a-z_]+))*"
)
SHAPE = re.compile(rf"\(\s*(?:{_DIMENSION}\s*,\s*)+(?:{_DIMENSION})?\s*\)")
_SURE_DIMENSION = re.compile(r"\.\.\.|\b\d*[A-Z]\w{0,2}\b|\b\d+\b|height|width|num_|\w+,\)")
SCALAR = re.compile(r"\bscalars?\b|\b0-dimensional\b|\b(?:any|same|equal) shape\b", re.IGNORECASE)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def gives_shape(text: str) -> bool:
    """Return whether a docstring gives the shape of an array."""
    return bool(SCALAR.search(text)) or any(_SURE_DIMENSION.search(found) for found in SHAPE.findall(text))


def array_parameters(function: Function) -> list[str]:
    """Return the names of the parameters annotated as arrays or tensors."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    types = {each.arg: ast.unparse(each.annotation) for each in every if each and each.annotation}
    return [name for name, text in types.items() if ARRAY_TYPE.search(text) and not NO_ONE_SHAPE.match(text)]


@dataclass
class Module:
    """One parsed file.

    Attributes:
        name: dotted name; a package's is that of its folder.
        path: its file.
        text: content of the file.
        tree: syntax tree of the file.
        is_package: whether the file is an `__init__.py`.
        names: for each imported name, the dotted realface name that it means.
        definitions: top-level functions and classes, by name.
    """

    name: str
    path: Path
    text: str
    tree: ast.Module
    is_package: bool
    names: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)


class House:
    """The parsed package of one checkout."""

    def __init__(self, checkout: Path) -> None:
        source = checkout / "src"
        self.files = sorted(source.rglob("*.py"))
        self.modules: dict[str, Module] = {}
        for path in self.files:
            parts = list(path.relative_to(source).with_suffix("").parts)
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            text = path.read_text(encoding="utf-8")
            self.modules[name] = Module(name, path, text, ast.parse(text), is_package)
        self.imports: dict[str, set[str]] = {}
        for module in self.modules.values():
            module.definitions = {node.name: node for node in module.tree.body if isinstance(node, Definition)}
            found = dict(self._imported(module.tree))
            module.names = found
            imported = {self.module_of(target) for target in found.values()} - {None, module.name}
            self.imports[module.name] = {each for each in imported if each} if module.name != "realface" else set()

    def _imported(self, tree: ast.AST) -> Iterator[tuple[str, str]]:
        """Yield (local name, dotted realface name) for each import that runs."""
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "realface":
                yield from ((each.asname or each.name, f"{node.module}.{each.name}") for each in node.names)
            elif isinstance(node, ast.Import):
                yield from (
                    (each.asname or each.name, each.name)
                    for each in node.names
                    if each.name.split(".")[0] == "realface"
                )
            else:
                yield from self._imported(node)

    def module_of(self, target: str) -> str | None:
        """Return the module in which a dotted name is defined, or None."""
        while target and target not in self.modules:
            target = target.rpartition(".")[0]
        return target or None

    def resolve(self, target: str) -> tuple[Module, Definition] | None:
        """Return the definition that a dotted name means, following forwarded names, or None."""
        for _ in range(5):
            name = self.module_of(target)
            if name is None or name == target:
                return None
            module, rest = self.modules[name], target[len(name) + 1 :].split(".")[0]
            if rest in module.definitions:
                return module, module.definitions[rest]
            if rest not in module.names:
                return None
            target = module.names[rest]
        return None


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one node, by Tarjan's algorithm."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            start = stack.index(node)
            if len(stack) - start > 1:
                found.append(sorted(stack[start:]))
            del stack[start:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def package_cycles(house: House) -> list[list[str]]:
    """Return the cycles between the children of each package in which at least one child is a package."""
    found = []
    for package in [name for name, module in house.modules.items() if module.is_package]:
        graph: dict[str, set[str]] = defaultdict(set)
        for name, targets in house.imports.items():
            for target in targets:
                ends = [_child(package, each) for each in (name, target)]
                if ends[0] and ends[1] and ends[0] != ends[1]:
                    graph[ends[0]].add(ends[1])
        found += [group for group in cycles(graph) if any(house.modules[each].is_package for each in group)]
    return found


def _child(package: str, name: str) -> str:
    """Return the direct child of a package that contains a module, or an empty text."""
    if not name.startswith(f"{package}."):
        return ""
    return f"{package}.{name[len(package) + 1 :].split('.')[0]}"


def walk_of_train(house: House) -> list[set[str]]:
    """Return the modules touched within one, two, three calls of `train`, and within any number of them."""
    candidates = ["realface.training.run", *(name for name in house.modules if name.startswith("realface.training."))]
    start = next(name for name in candidates if name in house.modules and "train" in house.modules[name].definitions)
    module = house.modules[start]
    todo = [(module, module.definitions["train"])]
    seen = {(start, "train")}
    touched, answer = {start}, []
    while todo:
        following = []
        for module, definition in todo:
            for called, target in _called(house, module, definition):
                if (called.name, target.name) not in seen:
                    seen.add((called.name, target.name))
                    touched.add(called.name)
                    following.append((called, target))
        todo = following
        answer.append(set(touched))
    return [answer[min(depth, len(answer)) - 1] for depth in DEPTHS] + [answer[-1]]


def _called(house: House, module: Module, definition: Definition) -> Iterator[tuple[Module, Definition]]:
    for node in ast.walk(definition):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name) and function.id in module.definitions:
            yield module, module.definitions[function.id]
        else:
            name, _, rest = ast.unparse(function).partition(".")
            if re.fullmatch(r"\w+", name) and name in module.names:
                target = module.names[name] + (f".{rest}" if rest else "")
                if found := house.resolve(target):
                    yield found


def class_checks(house: House) -> list[str]:
    """Return the places outside the methods' folders that ask for a method's class or for `config.residual`."""
    found = []
    for module in house.modules.values():
        if _is_of_method(module.name):
            continue
        for node in ast.walk(module.tree):
            asked: list[ast.AST] = []
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
                asked = [each for each in ast.walk(node.args[1]) if isinstance(each, ast.Name | ast.Attribute)]
            elif isinstance(node, ast.MatchClass):
                asked = [node.cls]
            elif isinstance(node, ast.Attribute) and re.search(r"config\.residual$", ast.unparse(node)):
                found.append(f"{module.name}:{node.lineno} {ast.unparse(node)}")
            for each in asked:
                name, _, rest = ast.unparse(each).partition(".")
                target = module.names.get(name, "") + (f".{rest}" if rest else "")
                if _is_of_method(target):
                    found.append(f"{module.name}:{getattr(each, 'lineno', 0)} {ast.unparse(each)}")
    return sorted(set(found))


def _is_of_method(name: str) -> bool:
    return any(f"{name}.".startswith(f"realface.models.{folder}.") for folder in METHOD_FOLDERS)


def public_definitions(module: Module) -> Iterator[Definition]:
    """Yield the public functions, classes and methods of a module."""

    def visit(body: Iterable[ast.stmt]) -> Iterator[Definition]:
        for node in body:
            if isinstance(node, ast.If | ast.Try):
                yield from visit(node.body)
            if not isinstance(node, Definition) or node.name.startswith("_"):
                continue
            if any("overload" in ast.unparse(each) for each in node.decorator_list):
                continue
            yield node
            if isinstance(node, ast.ClassDef):
                yield from visit(node.body)

    yield from visit(module.tree.body)


@dataclass(frozen=True)
class Density:
    """Density of control flow and comments in a function.

    Attributes:
        name: module and name of the function.
        density: parts of control flow per code line.
        code: number of code lines.
        comments: number of lines with a comment.
    """

    name: str
    density: float
    code: int
    comments: int


_CONTROL_FLOW = (
    *(ast.If, ast.For, ast.While, ast.Try, ast.Match, ast.IfExp, ast.BoolOp, ast.comprehension),
    *(ast.AugAssign, ast.Continue, ast.Break),
)


def _is_dense(node: ast.AST) -> bool:
    """Return whether a node steers the control flow or computes an index."""
    if isinstance(node, ast.Subscript):
        return any(isinstance(each, ast.BinOp) for each in ast.walk(node.slice))
    return isinstance(node, _CONTROL_FLOW)


def densest_functions(house: House, number: int) -> list[Density]:
    """Return the densest functions, the densest first."""
    found = []
    for module in house.modules.values():
        tokens = list(tokenize.generate_tokens(io.StringIO(module.text).readline))
        layout = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
        comments = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
        code: set[int] = set()
        for token in tokens:
            if token.type not in layout | {tokenize.COMMENT}:
                code.update(range(token.start[0], token.end[0] + 1))
        for node in ast.walk(module.tree):
            if not isinstance(node, Function):
                continue
            first, last = node.body[0], node.end_lineno or node.lineno
            is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            outside = set(range(first.lineno, (first.end_lineno or 0) + 1)) if is_docstring else set()
            lines = set(range(node.lineno, last + 1)) - outside
            num_code = len(lines & code)
            if num_code < FEWEST_CODE_LINES:
                continue
            dense = sum(_is_dense(each) for part in node.body for each in ast.walk(part))
            found.append(Density(f"{module.name}.{node.name}", dense / num_code, num_code, len(lines & comments)))
    return sorted(found, key=lambda each: (-each.density, each.name))[:number]


def rank(values: list[int], share: float) -> int:
    """Return the percentile by nearest rank.

    Args:
        values: at least one, in any order.
        share: in (0, 1].
    """
    return sorted(values)[math.ceil(share * len(values)) - 1]


def print_figures(house: House, *, names: bool) -> None:
    """Print the table, and with `names` the items counted."""
    lengths = [len(module.text.splitlines()) for module in house.modules.values()]
    groups = cycles(house.imports)
    within = [group for group in groups if len({each.rpartition(".")[0] for each in group}) == 1]
    across = [group for group in groups if group not in within]
    packages = package_cycles(house)
    importers: dict[str, set[str]] = defaultdict(set)
    for name, targets in house.imports.items():
        for target in targets:
            importers[target].add(name)
    lone = [
        name
        for name, module in house.modules.items()
        if len(importers[name]) == 1 and not module.is_package and not name.endswith("__main__")
    ]
    walk = walk_of_train(house)
    untyped = [
        f"{module.name}:{number}"
        for module in house.modules.values()
        for number, line in enumerate(module.text.splitlines(), 1)
        if re.search(r"\bconfig: Any\b", line)
    ]
    checks = class_checks(house)
    public = [(module, node) for module in house.modules.values() for node in public_definitions(module)]
    bare = [f"{module.name}.{node.name}" for module, node in public if not ast.get_docstring(node)]
    bare += [name for name, module in house.modules.items() if not ast.get_docstring(module.tree)]
    num_public = len(public) + len(house.modules)
    arrays = [(module, node) for module, node in public if isinstance(node, Function) and array_parameters(node)]
    shapeless = [
        f"{module.name}.{node.name}" for module, node in arrays if not gives_shape(ast.get_docstring(node) or "")
    ]
    densest = [densest_functions(house, number) for number in NUM_DENSEST]

    table = [
        ("files in src", f"{len(house.files)}", []),
        ("median length, lines", f"{rank(lengths, 0.5)}", []),
        ("90th-percentile length, lines", f"{rank(lengths, 0.9)}", []),
        ("import cycles between modules, within a package", _cycles(within), [" ".join(each) for each in within]),
        ("import cycles between modules, across packages", _cycles(across), [" ".join(each) for each in across]),
        ("import cycles between packages", _cycles(packages), [" ".join(each) for each in packages]),
        ("modules with one importer", f"{len(lone)}", lone),
        *(
            (f"modules touched by train(), {depth}", f"{len(touched)}", sorted(touched))
            for depth, touched in zip(("depth 1", "depth 2", "depth 3", "any depth"), walk, strict=True)
        ),
        ("`config: Any`", f"{len(untyped)}", untyped),
        ("class checks on methods in shared code", f"{len(checks)}", checks),
        ("public names with docstring", _share(num_public - len(bare), num_public), bare),
        ("functions with arrays that give a shape", _share(len(arrays) - len(shapeless), len(arrays)), shapeless),
        *((f"comment share in the {len(each)} densest functions", *_comment_share(each)) for each in densest),
    ]
    for title, value, counted in table:
        print(f"{title:50} {value}")
        if names:
            for each in counted:
                print(f"    {each}")


def _comment_share(functions: list[Density]) -> tuple[str, list[str]]:
    """Return the share of comments in these functions, and a line for each."""
    comments = sum(each.comments for each in functions)
    lines = [f"{each.name} {each.density:.2f} {each.comments} of {each.comments + each.code}" for each in functions]
    return _share(comments, comments + sum(each.code for each in functions)), lines


def _cycles(groups: list[list[str]]) -> str:
    return f"{len(groups)} ({sum(map(len, groups))} members)" if groups else "0"


def _share(part: int, whole: int) -> str:
    return f"{part / max(whole, 1):.1%} ({part} of {whole})"


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkout", nargs="?", type=Path, default=Path(__file__).parents[1], help="default: this one")
    parser.add_argument("--names", action="store_true", help="list the items counted")
    given = parser.parse_args()
    print_figures(House(given.checkout), names=given.names)


if __name__ == "__main__":
    main()
