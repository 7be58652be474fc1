"""Models of a hub, fetched into its cache, and one sentence for what can go wrong there.

The hub's own client does the work, so its variables hold: HF_ENDPOINT, HF_HUB_OFFLINE, HF_HOME, HF_TOKEN.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import disable_progress_bars

logger = logging.getLogger(__name__)

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there is taken
DESCRIPTIONS = ["*.json", "*.txt", "*.model"]  # configs, tokenizers, sentence-transformers' modules
disable_progress_bars()  # they would fill the logs


def fetch_descriptions(repository: str, revision: str | None) -> Path:
    """The folder of a repository in the cache, with all of its small files: everything but weights."""
    with one_sentence(repository, revision):
        return Path(snapshot_download(repository, revision=revision, allow_patterns=DESCRIPTIONS))


def fetch_weights(repository: str, revision: str | None, subfolder: str = "") -> Path:
    """The weights of a repository in the cache: safetensors where there are any, else PyTorch's."""
    if revision is None:
        logger.warning("%s has no revision, so its main branch of today is used", repository)
    names = [f"{subfolder}/{name}" if subfolder else name for name in WEIGHTS]
    with one_sentence(repository, revision):
        try:
            return Path(hf_hub_download(repository, names[0], revision=revision))
        except EntryNotFoundError:  # of the hub, or of the cache when there is no network
            return Path(hf_hub_download(repository, names[1], revision=revision))


@contextmanager
def one_sentence(repository: str, revision: str | None) -> Iterator[None]:
    """Errors of the hub's client as one sentence each, which names the model, the hub, and what to do."""
    model = f"{repository} at revision {revision}" if revision else repository
    hub = constants.ENDPOINT
    try:
        yield
    except HFValidationError:
        raise ValueError(f"{repository}: neither a folder nor the id of a model, owner/name.") from None
    except RevisionNotFoundError:
        raise ValueError(f"{repository}: {hub} has no revision {revision}; it lists the commits.") from None
    except RepositoryNotFoundError:
        message = f"{repository}: {hub} has no such model, or shows it only with a login (HF_TOKEN)."
        raise FileNotFoundError(message) from None
    except RemoteEntryNotFoundError:
        raise FileNotFoundError(f"{model}: {hub} has neither {' nor '.join(WEIGHTS)} there.") from None
    except LocalEntryNotFoundError:
        reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else f"{hub} cannot be reached"
        raise FileNotFoundError(f"{model}: not in the cache {constants.HF_HUB_CACHE}, and {reason}.") from None
    except HTTPError as error:
        raise OSError(f"{model}: {hub} failed with {first_line(error)}; run it again.") from None


def first_line(error: Exception) -> str:
    """What an error says, without the paragraphs that follow, and without a full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
