"""`python -m tests.real.rig`: fetch what the rig downloads, and say what is missing.

Run it before the tests, whose time is limited. Its exit status is 1 where something is missing.
"""

import sys

from tests.real.rig import Missing
from tests.real.rig.asyncapi import parser
from tests.real.rig.kafka import class_archive
from tests.real.rig.postgres import binaries
from tests.real.rig.prometheus import promtool


def main() -> int:
    missing = 0
    for name, found in (
        ("Kafka", class_archive),
        ("PostgreSQL", binaries),
        ("Prometheus", promtool),
        ("AsyncAPI's parser", parser),
    ):
        try:
            print(f"{name}: {found()}", flush=True)
        except Missing as said:
            print(f"{name}: {said}", flush=True)
            missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main())
