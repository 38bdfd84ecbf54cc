"""AsyncAPI's own parser: `errors(documents)`. Needs Node; the package is fetched into the cache once."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.real.rig import Missing
from tests.real.rig.cache import cached
from tests.real.rig.children import ask

VERSION = "3.6.3"

_SCRIPT = """
const {Parser} = require("@asyncapi/parser");
const documents = JSON.parse(require("fs").readFileSync(0, "utf8"));
Promise.all(documents.map((one) => new Parser().parse(one))).then((all) =>
  console.log(JSON.stringify(all.map(({diagnostics}) => diagnostics))));
"""
_ERROR = 0
"""Severity of a diagnostic, as in the Language Server Protocol less one: error, warning, information, hint."""


def parser() -> Path:
    """The folder of npm's modules in which the parser is. Raises `Missing`."""
    if shutil.which("node") is None:
        raise Missing("Node is not installed: AsyncAPI's own parser is skipped.")
    return cached(f"asyncapi-parser-{VERSION}", _fetch) / "node_modules"


def _fetch(folder: Path) -> None:
    if shutil.which("npm") is None:
        raise Missing("npm is not installed: AsyncAPI's own parser is skipped.")
    quiet = ("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    done = ask(["npm", "install", *quiet, "--prefix", folder, f"@asyncapi/parser@{VERSION}"], cwd=folder)
    if done.returncode != 0:
        said = (done.stderr.strip() or "it said nothing").splitlines()[0]
        raise Missing(f"npm could not fetch AsyncAPI's own parser, which is skipped ({said}).")


def errors(*documents: str) -> list[list[str]]:
    """What is wrong with each AsyncAPI document, with its place; warnings are left out. Raises `Missing`.

    One call for several: the parser takes seconds to start.
    """
    done = subprocess.run(  # noqa: S603
        ["node", "-e", _SCRIPT],  # noqa: S607
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": _path(), "NODE_PATH": str(parser())},
    )
    if done.returncode != 0:
        raise RuntimeError(f"node ended with {done.returncode}: {done.stderr[-2000:]}")
    return [
        [f"{'/'.join(map(str, one['path']))}: {one['message']}" for one in found if one["severity"] == _ERROR]
        for found in json.loads(done.stdout)
    ]


def _path() -> str:
    node = shutil.which("node")
    return str(Path(node).parent) if node else ""
