"""The type stubs against the package: the same names, the same attributes, the same parameters."""

import ast
import inspect
import pathlib

import pytest
import weir

STUBS = pathlib.Path(weir.__file__).with_name("__init__.pyi")
ONLY_FOR_TYPES = {"T", "Buffer", "Data", "Option", "End", "Batch", "Reservation", "Undefined"}


def definitions(body):
    return {node.name: node for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))}


TREE = ast.parse(STUBS.read_text())
CLASSES = {name: node for name, node in definitions(TREE.body).items() if isinstance(node, ast.ClassDef)}
FUNCTIONS = {name: node for name, node in definitions(TREE.body).items() if not isinstance(node, ast.ClassDef)}


def test_names():
    missing = set(weir.__all__) - set(CLASSES) - set(FUNCTIONS) - {"undefined"}
    assert not missing
    invented = (set(CLASSES) | set(FUNCTIONS)) - set(weir.__all__) - ONLY_FOR_TYPES
    assert not invented


@pytest.mark.parametrize("name", sorted(set(CLASSES) - ONLY_FOR_TYPES))
def test_classes(name):
    kind = getattr(weir, name)
    for member in definitions(CLASSES[name].body):
        assert hasattr(kind, member), f"{name}.{member}"
    public = {m for m in vars(kind) if not m.startswith("_")}
    for base in kind.__mro__[1:]:
        if base.__module__.startswith("weir") and base.__name__ not in CLASSES | {"End": None}:
            public |= {m for m in vars(base) if not m.startswith("_")}
    declared = set()
    for node in [CLASSES[name]] + [CLASSES[b.id] for b in CLASSES[name].bases if getattr(b, "id", "") in CLASSES]:
        declared |= set(definitions(node.body))
        declared |= {n.target.id for n in node.body if isinstance(n, ast.AnnAssign)}
    inherited = set(dir(Exception)) | {"errno", "code", "name", "sys_errno", "offset"}
    assert public - declared - inherited - {"mro"} == set(), name


def parameters(node):
    arguments = node.args
    names = [a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
    return [n for n in names if n != "self"]


@pytest.mark.parametrize("name", ["writer", "reader", "client", "server", "get"])
def test_parameters(name):
    real = [p for p in inspect.signature(getattr(weir, name)).parameters if p != "options"]
    assert parameters(FUNCTIONS[name]) == real
