"""Models of a hub: what is fetched, and one sentence for what goes wrong. The hub is a server in the test."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stillroom.sources import is_hub_id

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
COMMIT, OTHER = "c0ffee" + "0" * 34, "decade" + "0" * 34
BIN_ONLY, BOTH, NONE, BROKEN = "owner/bin_only", "owner/both", "owner/none", "owner/broken"
SMALL = {"config.json": b"{}", "vocab.txt": b"[PAD]\n", "1_Pooling/config.json": b"{}", "README.md": b"A model."}
FILES = {
    BIN_ONLY: SMALL | {"pytorch_model.bin": b"pickled"},
    BOTH: SMALL | {"model.safetensors": b"safe", "pytorch_model.bin": b"pickled"},
    NONE: SMALL,
    BROKEN: SMALL | {"model.safetensors": b"broken off"},
}
SCRIPT = """
import sys, time
from stillroom.hub import fetch_descriptions, fetch_weights
time.sleep = lambda seconds: None  # the client waits half a minute before it gives up
repository, revision = sys.argv[1], sys.argv[2] or None
try:
    folder = fetch_descriptions(repository, revision)
    print(*sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()))
    print(fetch_weights(repository, revision).read_text())
except (OSError, ValueError) as error:
    print(f"{type(error).__name__}: {error}")
"""


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as its client asks for."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        parts = self.path.partition("?")[0].strip("/").split("/")
        parts = parts[2:] if parts[0] == "api" else parts
        repository, kind, revision, path = "/".join(parts[:2]), parts[2], parts[3], "/".join(parts[4:])
        files = FILES.get(repository)
        if files is None:
            self.send(404, b"", "RepoNotFound")
        elif revision not in (COMMIT, "main"):
            self.send(404, b"", "RevisionNotFound")
        elif kind == "revision":
            self.send(200, json.dumps({"id": repository, "sha": COMMIT, "siblings": []}).encode())
        elif kind == "tree":
            listed = [
                {"type": "file", "path": name, "size": len(content), "oid": "0"} for name, content in files.items()
            ]
            self.send(200, json.dumps(listed).encode())
        elif path in files:
            self.send(200, files[path])
        else:
            self.send(404, b"", "EntryNotFound")

    def send(self, status, content, error=None):
        self.send_response(status)
        headers = {"Content-Length": len(content), "ETag": f'"{abs(hash(content)):x}"', "X-Repo-Commit": COMMIT}
        for name, value in (headers | ({"X-Error-Code": error} if error else {})).items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            is_broken = content == FILES[BROKEN]["model.safetensors"]
            self.wfile.write(content[:6] if is_broken else content)
            self.close_connection = is_broken

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def hub():
    """The address of a hub that answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetch(tmp_path):
    """A function that fetches a model in a process of its own, since the client reads its variables only once."""
    kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}

    def fetch(endpoint, repository, revision, offline="0"):
        variables = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": offline, "HF_HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, repository, revision],
            env=kept | variables | {"PYTHONPATH": str(SCRIPTS)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return fetch


UNREACHABLE = "http://127.0.0.1:9"


def test_small_files_and_one_file_of_weights_are_fetched_and_then_found_in_the_cache(hub, fetch):
    expected = ["1_Pooling/config.json config.json vocab.txt", "safe"]
    assert fetch(hub, BOTH, COMMIT) == expected
    expected[0] = "1_Pooling/config.json config.json model.safetensors vocab.txt"
    assert fetch(UNREACHABLE, BOTH, COMMIT) == expected
    assert fetch(hub, BOTH, COMMIT, offline="1") == expected


def test_weights_of_pytorch_are_taken_where_there_are_no_safetensors(hub, fetch):
    assert fetch(hub, BIN_ONLY, COMMIT)[1] == "pickled"
    assert fetch(hub, BIN_ONLY, COMMIT, offline="1")[1] == "pickled"


def test_without_a_revision_the_main_branch_is_taken(hub, fetch):
    assert fetch(hub, BOTH, "")[1] == "safe"


@pytest.mark.parametrize(
    ("repository", "revision", "message"),
    [
        (
            "owner/other",
            COMMIT,
            "FileNotFoundError: owner/other: {hub} has no such model, or shows it only with a login",
        ),
        (BOTH, OTHER, "ValueError: owner/both: {hub} has no revision " + OTHER + "; it lists the commits."),
        (
            NONE,
            COMMIT,
            "FileNotFoundError: owner/none at revision " + COMMIT + ": {hub} has neither model.safetensors nor",
        ),
        (
            "owner/name with spaces",
            COMMIT,
            "ValueError: owner/name with spaces: neither a folder nor the id of a model",
        ),
    ],
)
def test_what_the_hub_has_not_is_one_sentence(repository, revision, message, hub, fetch):
    *_, found = fetch(hub, repository, revision)
    assert found.startswith(message.format(hub=hub)) and found.endswith(".")


def test_a_download_that_breaks_off_is_one_sentence_and_leaves_no_weights(hub, fetch, tmp_path):
    *_, found = fetch(hub, BROKEN, COMMIT)
    assert found.startswith(f"OSError: {BROKEN} at revision {COMMIT}: {hub} failed with ")
    assert found.endswith("; run it again.")
    assert not list(tmp_path.rglob("model.safetensors"))


@pytest.mark.parametrize("revision", ["", COMMIT])
@pytest.mark.parametrize(
    ("offline", "reason"), [("0", f"{UNREACHABLE} cannot be reached"), ("1", "HF_HUB_OFFLINE is set")]
)
def test_without_a_network_what_is_not_in_the_cache_is_one_sentence(offline, reason, revision, fetch, tmp_path):
    (found,) = fetch(UNREACHABLE, BOTH, revision, offline)
    model = f"{BOTH} at revision {revision}" if revision else BOTH
    assert found == f"FileNotFoundError: {model}: not in the cache {tmp_path}/hub, and {reason}."


def test_a_checkpoint_or_an_encoder_of_a_hub_without_a_network_is_one_sentence(make_settings):
    from stillroom.checkpoints import load_checkpoint
    from stillroom.encoders import load_encoder

    settings = make_settings(loss=None, training=None, checkpoint="owner/name", revision=COMMIT)
    with pytest.raises(FileNotFoundError, match=rf"^owner/name at revision {COMMIT}: not in the cache .* is set\.$"):
        load_checkpoint(settings)
    with pytest.raises(FileNotFoundError, match=r"^owner/name: not in the cache .* is set\.$"):
        load_encoder(make_settings(encoder__weights="owner/name").encoder)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("owner/name", True),
        ("bert-base-uncased", True),
        ("package:name", False),
        ("./folder", False),
        ("/folder", False),
        ("~/folder", False),
        ("results/pydocs/rankers/tas_b/seed-1", False),
    ],
)
def test_packages_and_paths_are_told_from_ids_of_a_hub(weights, expected):
    assert is_hub_id(weights) is expected


def test_a_folder_that_is_there_is_no_id_of_a_hub(tmp_path, monkeypatch):
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert not is_hub_id("owner/name")
