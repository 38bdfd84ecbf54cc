"""Kafka's jars, by Maven into the cache, and the command lines that run them."""

import re
import shutil
from pathlib import Path

from tests.real.rig import Missing
from tests.real.rig.cache import cached
from tests.real.rig.children import ask

VERSION = "4.3.1"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>rig</groupId><artifactId>rig</artifactId><version>1</version>
<packaging>pom</packaging><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""


def jars() -> Path:
    """The folder of Kafka's jars, fetched where the cache has none. Raises `Missing`."""
    return cached(f"kafka-{VERSION}", _fetch)


def java_version() -> str:
    """The version of the Java on PATH. Raises `Missing` where it is older than 17, the oldest that Kafka runs on."""
    said = ask(["java", "-version"]).stderr if shutil.which("java") else ""
    version = re.search(r'version "((\d+)[^"]*)"', said)
    if version is None or int(version[2]) < 17:
        raise Missing("Java 17 is not installed: the real Kafka is skipped.")
    return version[1]


def _fetch(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise Missing("Maven, which fetches Kafka, is not installed: the real Kafka is skipped.")
    pom, store = folder / "pom.xml", folder / "store"
    pom.write_text(_POM)
    options = [f"-Dmaven.repo.local={store}", f"-DoutputDirectory={folder}"]
    done = ask(["mvn", "-q", "-B", "-f", pom, *options, "dependency:copy-dependencies"])
    if done.returncode != 0:
        said = next((line for line in done.stdout.splitlines() if line.startswith("[ERROR]")), "it said nothing")
        raise Missing(f"Maven could not fetch Kafka {VERSION}: the real Kafka is skipped ({said}).")
    shutil.rmtree(store)


def java(options: list[str], main: str, *arguments: str | Path) -> list[str | Path]:
    """The command line that runs the class `main` of Kafka, its log on standard error."""
    # One compiler tier and the serial collector: a broker of a test starts often and works little.
    tuning = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    logging = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
    return ["java", *tuning, *options, *logging, "-cp", f"{jars()}/*", main, *arguments]


def using(archive: Path) -> str:
    """The option that reads classes from the archive; Java reads the jars instead where it does not fit them."""
    return f"-XX:SharedArchiveFile={archive}"
