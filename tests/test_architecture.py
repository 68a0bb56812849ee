"""The shape of the house: who may import whom, what stays free of torch, one training loop."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "debias_cl"

LAYERS = (
    ("errors", "files", "records", "registry", "config"),
    ("runs", "waists", "progress", "distributed", "randomness"),
    ("data", "losses"),
    ("tables",),
    (
        "networks",
        "encoders",
        "foreign",
        "programs",
        "formats",
        "wrappers",
        "prefixes",
        "fitting",
        "guess",
        "hub",
        "recipe",
        "loaded",
        "own_head",
        "checkpoint",
        "logistic",
        "knn",
        "dfr",
        "probe",
        "remedies",
        "mistakes",
    ),
    ("optim", "step", "fit", "features"),
    ("recolour",),
    ("resolve",),
    ("training", "sources", "judges"),
    ("metrics",),
    ("representation",),
    ("checks",),
    ("sections",),
    ("gates",),
    ("document", "request"),
    ("pipeline", "auditing"),
    ("audited", "in_memory", "api"),
    ("cli",),
    ("suites", "train", "evaluate", "audit", "benchmark", "report", "data_cli", "__main__"),
)
"""Data-flow order: a module imports only from its own layer or from layers before it."""

TORCH_FREE = (
    "metrics",
    "representation",
    "checks",
    "sections",
    "waists",
    "records",
    "config",
    "report",
    "document",
    "gates",
    "audited",
    "api",
    "tables",
    "auditing",
    "audit",
)


def modules() -> dict[str, Path]:
    """Dotted module name below the package -> file."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }


def layer_of(module: str) -> int | None:
    """Number of the layer that a module's first part stands in; None for the package itself."""
    if module == "data.__main__":
        module = "data_cli"
    first = module.split(".")[0]
    return next((i for i, names in enumerate(LAYERS) if first in names), None)


def imports(path: Path) -> set[str]:
    """Dotted names below debias_cl that a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("debias_cl"):
            base = (node.module or "").removeprefix("debias_cl").lstrip(".")
            found |= {base} if base else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("debias_cl.")
                for alias in node.names
                if alias.name.startswith("debias_cl.")
            }
    return found


def test_every_module_stands_in_a_layer() -> None:
    unplaced = [name for name in modules() if name != "__init__" and layer_of(name) is None]
    assert unplaced == []


def test_imports_only_from_layers_before() -> None:
    # records delegates saving to waists inside two methods: the one allowed look ahead.
    allowed = {("records", "waists")}
    wrong = [
        f"{name} imports {other}"
        for name, path in modules().items()
        for other in imports(path)
        if layer_of(name) is not None
        and (layer_of(other) or 0) > (layer_of(name) or 0)
        and (name, other) not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("part", TORCH_FREE)
def test_right_of_predictions_nothing_imports_torch(part: str) -> None:
    names = [f"debias_cl.{name}" for name in modules() if name.split(".")[0] == part]
    code = f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\n"
    code += "assert 'torch' not in sys.modules, 'torch was imported'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_package_itself_imports_nothing_heavy() -> None:
    code = "import sys, debias_cl\n"
    code += "assert not {'torch', 'numpy', 'pandas', 'tyro'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_one_backward_in_the_package() -> None:
    sites = [
        f"{name}:{node.lineno}"
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "backward"
    ]
    assert len(sites) == 1, sites
    assert sites[0].startswith("fit:"), sites


def test_functions_stay_readable() -> None:
    long = [
        f"{name}.{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and node.end_lineno is not None
        and node.end_lineno
        - node.lineno
        + 1
        - ((ast.get_docstring(node, clean=False) or "").count("\n") + 1)
        > 60
    ]
    assert long == []


def test_folders_beside_the_package_hide_no_library() -> None:
    assert [
        p
        for d in ("datasets", "reports", "examples")
        for p in (ROOT / d).rglob("*.py")
        if p.name == "__init__.py"
    ] == []
    assert not list(PACKAGE.rglob("utils.py"))
