"""Requests to the hub that outlive faults which pass, and sentences about those that don't."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal, TypeVar

from sentiment.core.errors import UserError, reason

if TYPE_CHECKING:
    from tenacity import RetryCallState

Kind = Literal["model", "dataset"]
T = TypeVar("T")

ATTEMPTS = 6
"""How often a request is tried without progress before it is given up: about half a minute with the waits between."""
LONGEST_WAIT = 300
"""Seconds. Where a server asks for a longer pause, the person is told instead."""
NO_HUB = "the default model and dataset need no hub, nor do your own files"
AGAIN = "run the same command again, which goes on where this one stopped"


def patiently(call: Callable[[], T]) -> T:
    """Return what `call` returns, trying again after faults that pass: 408, 429, 5xx, cut, refused, stalled."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    retrying = Retrying(
        retry=retry_if_exception(_passes),
        stop=stop_after_attempt(ATTEMPTS),
        wait=_wait,
        before_sleep=_announce,
        reraise=True,
    )
    return retrying(call)


def _passes(error: BaseException) -> bool:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return (status in {408, 429} or status >= 500) and _asked_wait(error) <= LONGEST_WAIT
    return isinstance(error, httpx2.TimeoutException | httpx2.NetworkError | httpx2.RemoteProtocolError)


def _asked_wait(error: BaseException | None) -> float:
    """Return the seconds that a server asks to wait, by either of its headers; 0 where it doesn't ask."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import parse_ratelimit_headers

    if not isinstance(error, HfHubHTTPError):
        return 0
    headers = error.response.headers
    limit = parse_ratelimit_headers(headers)
    if error.response.status_code == 429 and limit and not limit.remaining:
        return limit.reset_in_seconds
    asked = headers.get("Retry-After", "")
    try:
        if asked.isdigit():
            return int(asked)
        # The server's own clock: this machine's may be wrong.
        waited = parsedate_to_datetime(asked) - parsedate_to_datetime(headers["Date"])
        return max(0.0, waited.total_seconds())
    except (ValueError, LookupError, TypeError):
        return 0


def _wait(state: "RetryCallState") -> float:
    """Return the seconds to wait: what the server asks, or 1, 2, 4, ... at least, and up to a second more.

    The random part spreads the clients that one fault cut off, so that they don't come back all at once.
    """
    from tenacity import wait_exponential, wait_random

    error = state.outcome.exception() if state.outcome else None
    return max(_asked_wait(error), wait_exponential()(state)) + wait_random(0, 1)(state)


def _announce(state: "RetryCallState") -> None:
    from tqdm import tqdm

    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0
    tqdm.write(f"{_cause(error)}; trying again in {wait:.0f} s ({state.attempt_number} of {ATTEMPTS - 1})")


def _cause(error: BaseException | None) -> str:
    """Name a fault in few words, without addresses: those of the hub's storage are keys in themselves."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return f"the server answers with status {error.response.status_code}"
    if isinstance(error, httpx2.TimeoutException):
        return "the server does not answer in time"
    return f"the connection fails ({reason(error)})" if isinstance(error, Exception) else "the connection fails"


@contextmanager
def explained(name: str, kind: Kind, revision: str | None = None) -> Iterator[None]:
    """Turn what the hub or the network answers about a repository into a UserError that says what to do."""
    import httpx2
    from huggingface_hub import get_token
    from huggingface_hub.errors import OfflineModeIsEnabled

    # The HTTP library would quote a header that it can't send, and so the token.
    if not re.fullmatch("[!-~]*", get_token() or ""):
        raise UserError("HF_TOKEN has characters that no token has: copy it anew from the hub's settings, or unset it")
    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, OfflineModeIsEnabled) as error:
        raise UserError(_sentence(error, f"{kind} {name}", name, revision)) from None


def _sentence(error: Exception, what: str, name: str, revision: str | None) -> str:
    from huggingface_hub import constants, errors

    hub = constants.ENDPOINT
    page = f"{hub}/{'datasets/' if what.startswith('dataset') else ''}{name}"
    known = {
        errors.OfflineModeIsEnabled: f"{what} is not in the local cache, and HF_HUB_OFFLINE forbids to fetch it: "
        f"unset it for the download, or pin a commit that was downloaded before; {NO_HUB}",
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
            f"{what} could not be fetched from {hub}, {_cause(error)}: check the network, HF_ENDPOINT and the proxy's "
            f"settings, then {AGAIN}; {NO_HUB}"
        )
    status = error.response.status_code
    if status in {401, 403}:
        return f"{page} refuses access (status {status}): set HF_TOKEN to a valid token that may read it"
    if status == 429:
        minutes = max(1, round(_asked_wait(error) / 60))
        return f"{hub} limits the requests from here: wait {minutes} min, then {AGAIN}; HF_TOKEN raises the limit"
    return f"{hub} fails with status {status} for {what}, which is the server's fault: later {AGAIN}; {NO_HUB}"
