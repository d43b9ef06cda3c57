"""Which answers may pass by themselves, and what an error says."""

import json

import pytest

from orchestrator.registry.failure import failure
from orchestrator.registry.retry import RetryLater
from orchestrator.registry.transport import Request, Response


def answer(method: str, status: int, code: str = "") -> Exception:
    body = json.dumps({"errors": [{"code": code, "message": "said"}]}).encode() if code else b""
    request = Request(
        method=method, url="http://r.example/v2/a/manifests/v1", what="r.example/a:v1"
    )
    return failure(request, Response(status=status, headers={}, body=body))


@pytest.mark.parametrize(
    ("method", "status", "code"),
    [
        ("GET", 429, ""),
        ("GET", 503, ""),
        ("PUT", 500, "UNKNOWN"),
        ("POST", 403, "TOOMANYREQUESTS"),
        ("PUT", 400, "DIGEST_INVALID"),
        ("PUT", 404, "BLOB_UPLOAD_UNKNOWN"),
    ],
)
def test_may_pass(method: str, status: int, code: str) -> None:
    assert isinstance(answer(method, status, code), RetryLater)


@pytest.mark.parametrize(
    ("method", "status", "code"),
    [
        ("PUT", 400, "MANIFEST_INVALID"),
        ("PUT", 401, "UNAUTHORIZED"),
        ("PUT", 403, "DENIED"),
        ("PUT", 404, "NAME_UNKNOWN"),
        ("GET", 400, "DIGEST_INVALID"),
        ("HEAD", 404, ""),
    ],
)
def test_stays(method: str, status: int, code: str) -> None:
    error = answer(method, status, code)
    assert not isinstance(error, RetryLater)
    assert str(status) in str(error)
    assert "r.example/a:v1" in str(error)
