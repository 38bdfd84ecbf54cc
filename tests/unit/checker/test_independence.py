"""The judge shares no line with the judged."""

import ast
import sys
from pathlib import Path

import pytest

REAL = Path(__file__).parents[2] / "real"
FILES = sorted(
    [
        *(REAL / "checker").glob("*.py"),
        *(REAL / f"{name}.py" for name in ("topics", "load", "texts", "desk", "router_inputs")),
    ]
)
KAFKA = {"topics", "load", "desk", "router_inputs"}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_it_imports_the_standard_library_and_the_kafka_client_alone(path: Path) -> None:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module or "")
    ours = {name for name in found if name.startswith("tests.real.")}
    packages = {name.partition(".")[0] for name in found - ours} - sys.stdlib_module_names
    assert packages <= ({"confluent_kafka"} if path.stem in KAFKA else set())
    assert {name.split(".")[2] for name in ours} <= {"checker", "topics", "load", "texts"}
