"""Errors of the hub and of the network on the way to it, as sentences that say what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sentiment.core.errors import UserError, reason

NO_HUB = "the default model and dataset need no hub, nor do your own files"
AGAIN = "run the same command again, which keeps the files that are complete"


@contextmanager
def explain(name: str, kind: str, revision: str | None = None) -> Iterator[None]:
    """Turn what goes wrong with a repository of the hub into a UserError; errors of the disk pass unchanged."""
    import httpx2

    require_sendable_token()
    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        if getattr(error, "errno", None):
            raise
        # When a file's metadata can't be had, huggingface_hub raises an error of its own from the one that tells why.
        cause = error if isinstance(error, httpx2.HTTPError) else error.__cause__ or error
        raise UserError(_sentence(cause, f"{kind} {name}", name, revision)) from None


def require_sendable_token() -> None:
    """Raise UserError where the token has characters that a header can't have; the HTTP library would quote it."""
    from huggingface_hub import get_token

    if not re.fullmatch("[!-~]*", get_token() or ""):
        raise UserError("HF_TOKEN has characters that no token has: copy it again from the hub's settings, or unset it")


def brief(error: BaseException) -> str:
    """Name a fault in few words, without addresses: those of the hub's storage are keys in themselves."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return f"the server answers with status {error.response.status_code}"
    if isinstance(error, httpx2.TimeoutException):
        return "the server does not answer in time"
    return f"the connection fails ({reason(error)})" if isinstance(error, httpx2.HTTPError) else reason(error)


def _sentence(error: BaseException, what: str, name: str, revision: str | None) -> str:
    from huggingface_hub import constants, errors

    hub = constants.ENDPOINT
    page = f"{hub}/{'datasets/' if what.startswith('dataset') else ''}{name}"
    known = {
        errors.OfflineModeIsEnabled: f"{what} is not in the local cache, and HF_HUB_OFFLINE forbids fetching it: "
        f"unset it for the download, or pin a commit that was downloaded before; {NO_HUB}",
        errors.FileMetadataError: f"{hub} does not answer as the hub does: sign in to this network where it asks for "
        f"it, or correct HF_ENDPOINT and the proxy's settings; {NO_HUB}",
        errors.GatedRepoError: f"{what} is gated: accept its conditions on {page}, and set HF_TOKEN to a token of that "
        f"account ({hub}/settings/tokens)",
        errors.RevisionNotFoundError: f"{what} has no revision {revision or 'main'}: take a branch, tag or commit of "
        f"{page}/commits/main",
        errors.RepositoryNotFoundError: f"the hub has no {what}, or it is private: correct the spelling (ORG/NAME as "
        "in the address of its page), or set HF_TOKEN to a token that may read it",
        errors.RemoteEntryNotFoundError: f"{what} lacks a file that it lists: take another revision of "
        f"{page}/commits/main",
    }
    for fault, sentence in known.items():
        if isinstance(error, fault):
            return sentence
    if not isinstance(error, errors.HfHubHTTPError):
        return (
            f"{what} could not be fetched from {hub}, {brief(error)}: check the network, HF_ENDPOINT and the proxy's "
            f"settings, then {AGAIN}; {NO_HUB}"
        )
    status = error.response.status_code
    if status in {401, 403}:
        return f"{page} refuses access (status {status}): set HF_TOKEN to a valid token that may read it"
    if status == 429:
        return f"{hub} limits the requests from here: wait some minutes, then {AGAIN}; HF_TOKEN raises the limit"
    return f"{hub} fails with status {status} for {what}, which is the server's fault: later {AGAIN}; {NO_HUB}"
