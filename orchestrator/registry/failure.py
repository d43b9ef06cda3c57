"""Answers that say no, as errors: what, which status, which code, what to do, and whether it may pass."""

import json
from typing import Final

from orchestrator.errors import RegistryError
from orchestrator.registry.retry import RetryLater, retry_after
from orchestrator.registry.transport import Request, Response

_TRANSIENT_STATUS: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRANSIENT_CODES: Final = frozenset({"TOOMANYREQUESTS", "UNAVAILABLE"})
# Of a PUT. The digest was made here of what was sent: it suffered on its way, the upload is lost to
# the registry, or another writer of the same blob is half way (CNCF distribution on a file system
# answers so while a link file is written).
_UNLUCKY_CODES: Final = frozenset({"DIGEST_INVALID", "BLOB_UPLOAD_UNKNOWN"})


def failure(request: Request, response: Response) -> RegistryError:
    """The error for an answer that was not expected."""
    code, said = _said(response.body)
    status = response.status
    text = " ".join(filter(None, (f"HTTP {status}", code, said)))
    message = f"{request.method} {request.what}: {text}"
    unlucky = request.method == "PUT" and code in _UNLUCKY_CODES
    if unlucky or status in _TRANSIENT_STATUS or code in _TRANSIENT_CODES:
        return RetryLater(message, after=retry_after(response.headers), status=status, code=code)
    hint = None
    if status in {401, 403}:
        hint = (
            f"the credentials for {request.host} are missing or may not do this; log in, or see "
            "$DOCKER_CONFIG and --docker-config"
        )
    elif status == 404:
        hint = f"see that the repository exists, and that {request.host} allows nested ones"
    return RegistryError(message, status=status, code=code, hint=hint)


def _said(body: bytes) -> tuple[str | None, str]:
    """Code and message of the first error in an answer, as the distribution specification shapes it."""
    try:
        first = json.loads(body)["errors"][0]
        code, message = first.get("code"), first.get("message")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None, ""
    code = str(code)[:60] if code else None
    return code, "".join(c if c.isprintable() else " " for c in str(message or "")[:300])
