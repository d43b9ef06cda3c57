"""The client against a real registry, and against one that lies."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.errors import (
    OrchestratorError,
    RegistryError,
    TransientError,
    VerificationError,
)
from orchestrator.fsio import sha256
from orchestrator.model import Digest, Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.copy import copy
from orchestrator.registry.image import LayerFile, assemble, closure, push
from orchestrator.registry.manifest import OCI_INDEX, OCI_MANIFEST
from tests.harness import RealRegistry, real_registry
from tests.unit.registry.conftest import connect


def image(text: str = "hello", **annotations: str):  # type: ignore[no-untyped-def]
    files = [LayerFile(path="a/file", data=text.encode())]
    return assemble(files, annotations=annotations, created=None)


def test_what_is_not_there(client: Registry, repository: Repository) -> None:
    assert client.head(repository.tagged("v1")) is None
    assert client.manifest(repository.tagged("v1")) is None
    assert client.tags(repository) == []
    assert not client.has_blob(repository, Digest(sha256(b"")))
    with pytest.raises(RegistryError):
        copy(client, repository.tagged("v1"), repository.tagged("v2"))


def test_push_and_read_back(client: Registry, repository: Repository, real: RealRegistry) -> None:
    made = image()
    reference = repository.tagged("v1")
    assert push(client, made, reference) == made.digest
    assert client.head(reference).digest == made.digest  # type: ignore[union-attr]
    manifest = client.manifest(repository.at(made.digest))
    assert manifest is not None
    assert manifest.data == made.manifest
    assert closure(client, reference) == []
    assert client.read_blob(repository, manifest.layers[0].digest, 10**6) == made.layer
    real.forget()
    push(client, made, reference)
    assert real.writes() == []


def test_the_order_of_a_push(client: Registry, repository: Repository, real: RealRegistry) -> None:
    real.forget()
    made = image("order")
    push(client, made, repository.tagged("v1"))
    puts = [path.partition("?")[0] for method, path, _ in real.writes() if method == "PUT"]
    kinds = ["blob" if "uploads" in path else path.rpartition("/")[2] for path in puts]
    assert kinds == ["blob", "blob", made.digest, "v1"]


def test_blobs_are_hashed_while_read_and_bounded(client: Registry, repository: Repository) -> None:
    data = bytes(range(256)) * 20000
    digest = Digest(sha256(data))
    assert client.put_blob(repository, digest, len(data), lambda: [data[:1000], data[1000:]])
    assert not client.put_blob(repository, digest, len(data), lambda: [data])
    assert b"".join(client.blob(repository, digest, len(data))) == data
    with pytest.raises(VerificationError, match="larger than"):
        client.read_blob(repository, digest, 100)


def test_a_stream_starts_anew_where_it_breaks_and_is_hashed_to_its_end(
    client: Registry, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(range(256)) * 20000
    digest = Digest(sha256(data))
    client.put_blob(repository, digest, len(data), lambda: [data])
    again = connect(retries=1)
    monkeypatch.setattr("orchestrator.registry.retry.Retry.wait", lambda *_: 0.0)
    tries: list[bytes] = []

    def read(chunks: Iterator[bytes]) -> int:
        tries.append(next(chunks))
        if len(tries) == 1:
            raise TransientError("the answer broke off")
        return len(tries)

    assert again.read(repository, digest, len(data), read) == 2
    blob = Registry.blob

    def spoiled(self: Registry, place: Repository, name: Digest, limit: int) -> Iterator[bytes]:
        yield from blob(self, place, name, limit)
        raise VerificationError("another digest, seen at the end")

    monkeypatch.setattr(Registry, "blob", spoiled)
    with pytest.raises(VerificationError, match="seen at the end"):
        client.read(repository, digest, len(data), next)


def test_a_blob_with_another_hash_is_refused(client: Registry, repository: Repository) -> None:
    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        client.put_blob(repository, Digest("sha256:" + "0" * 64), 3, lambda: [b"abc"])


def test_mounts_and_copies(client: Registry, repository: Repository, real: RealRegistry) -> None:
    made = image("copied")
    push(client, made, repository.tagged("v1"))
    other = Repository(repository.registry, "other/place")
    real.forget()
    assert copy(client, repository.tagged("v1"), other.tagged("v2")) == made.digest
    assert not [path for method, path, _ in real.writes() if method == "PUT" and "upload" in path]
    assert closure(client, other.tagged("v2")) == []
    real.forget()
    copy(client, repository.tagged("v1"), other.tagged("v2"))
    assert real.writes() == []
    missing = Digest("sha256:" + "1" * 64)
    assert not client.mount(other, missing, repository)


def test_a_copy_to_another_registry(
    client: Registry, repository: Repository, tmp_path: Path
) -> None:
    made = image("far")
    push(client, made, repository.tagged("v1"))
    with real_registry(tmp_path / "other") as other:
        target = Repository.parse(f"{other.address}/far").tagged("v1")
        assert copy(client, repository.tagged("v1"), target) == made.digest
        assert closure(client, target) == []


def test_an_index_is_copied_with_its_children(client: Registry, repository: Repository) -> None:
    made = image("child")
    push(client, made, repository.tagged("child"))
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                {"mediaType": OCI_MANIFEST, "digest": made.digest, "size": len(made.manifest)}
            ],
        }
    ).encode()
    client.put_manifest(repository.tagged("index"), index, OCI_INDEX)
    target = Repository(repository.registry, "index/copy").tagged("v1")
    copy(client, repository.tagged("index"), target)
    manifest = client.manifest(target)
    assert manifest is not None
    assert manifest.is_index
    assert closure(client, target) == []


def test_tags_over_several_pages(repository: Repository) -> None:
    pages = {
        "/v2/m/tags/list?n=1000": (["a", "b"], '</v2/m/tags/list?n=1000&last=b>; rel="next"'),
        "/v2/m/tags/list?n=1000&last=b": (["c"], ""),
    }

    def answer(handler: BaseHTTPRequestHandler) -> None:
        names, link = pages[handler.path]
        reply(handler, 200, json.dumps({"tags": names}).encode(), {"Link": link} if link else {})

    with lying(answer) as host:
        assert connect().tags(Repository.parse(f"{host}/m")) == ["a", "b", "c"]


# A registry that lies


def reply(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None
) -> None:
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


@contextmanager
def lying(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer(self)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _any  # noqa: N815  names of http.server

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asks(answer: Callable[[BaseHTTPRequestHandler], None], **more: object) -> None:
    with lying(answer) as host:
        connect(**more).manifest(Repository.parse(f"{host}/m").tagged("v1"))


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "says"),
    [
        (200, b"{}", {"Docker-Content-Digest": "sha256:" + "0" * 64}, VerificationError, "not sha"),
        (200, b"[]", {}, RegistryError, "not a JSON object"),
        (200, b"\xff", {}, RegistryError, "not JSON"),
        (200, b"[" * 200_000, {}, RegistryError, "not JSON"),
        (200, b" " * (5 * 1024 * 1024), {}, RegistryError, "larger than 4 MiB"),
        (302, b"", {"Location": "file:///etc/passwd"}, RegistryError, "no plain URL"),
        (302, b"", {"Location": "http://user:pw@example.com/"}, RegistryError, "no plain URL"),
        (302, b"", {"Location": "/v2/m/manifests/v1"}, RegistryError, "more than 5 redirects"),
        (503, b"\xff\xfe not json", {}, TransientError, "HTTP 503"),
        (429, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow"}]}', {}, TransientError, "slow"),
        (400, b'{"errors":[{"code":"TOOMANYREQUESTS"}]}', {}, TransientError, "HTTP 400"),
        (403, b'{"errors":[{"code":"DENIED","message":"no\\u001b[31m"}]}', {}, RegistryError, "DENIED no"),
        (418, b'{"errors": 5}', {}, RegistryError, "HTTP 418"),
        (401, b"", {"WWW-Authenticate": 'Bearer realm="ftp://x"'}, RegistryError, "no usable place"),
        (401, b"", {"WWW-Authenticate": "Negotiate x"}, RegistryError, "unknown scheme"),
    ],
)  # fmt: skip
def test_lies_are_refused(
    status: int, body: bytes, headers: dict[str, str], kind: type[OrchestratorError], says: str
) -> None:
    with pytest.raises(kind, match=says) as caught:
        asks(lambda handler: reply(handler, status, body, headers))
    assert "\x1b" not in str(caught.value)
    assert caught.value.exit_code == (75 if kind is TransientError else 1)


def test_endless_pages_end() -> None:
    count = iter(range(10**9))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        link = f'</v2/m/tags/list?last={next(count) % 3}>; rel="next"'
        reply(handler, 200, b'{"tags": ["a"]}', {"Link": link})

    with lying(answer) as host:
        assert connect().tags(Repository.parse(f"{host}/m")) == ["a"]


def test_a_wrong_blob_is_found_at_its_end() -> None:
    with (
        lying(lambda handler: reply(handler, 200, b"other")) as host,
        pytest.raises(VerificationError, match="the blob has the digest"),
    ):
        list(connect().blob(Repository.parse(f"{host}/m"), Digest(sha256(b"mine")), 100))


def test_half_an_answer_is_transient() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"{")
        handler.close_connection = True

    with pytest.raises(TransientError):
        asks(answer)


def test_no_answer_at_all_is_transient_and_names_the_timeout() -> None:
    stop = threading.Event()
    try:
        with pytest.raises(TransientError, match=r"no answer within 1 s \(--timeout\)"):
            asks(lambda _handler: stop.wait(5) and None, timeout=1.0)  # type: ignore[func-returns-value]
    finally:
        stop.set()


def test_nobody_listens() -> None:
    from tests.harness import free_port

    where = Repository.parse(f"127.0.0.1:{free_port()}/m").tagged("v1")
    with pytest.raises(TransientError, match="connection refused") as caught:
        connect(retries=0).manifest(where)
    assert str(where) in str(caught.value)


def test_another_host_is_asked_over_https_only(client: Registry) -> None:
    assert client._url(Repository.parse("r.example.com/m"), "x") == "https://r.example.com/v2/m/x"
    assert client._url(Repository.parse("localhost:1/m"), "x") == "http://localhost:1/v2/m/x"
    assert client._url(Repository.parse("docker.io/m"), "x").startswith("https://registry-1.docker")


def test_denied_before_the_first_push_is_not_created_yet() -> None:
    """As registries answer that create repositories on the first push."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "POST":
            reply(handler, 202, b"", {"Location": "/v2/m/blobs/uploads/1"})
        elif handler.command == "DELETE":
            reply(handler, 204, b"")
        else:
            reply(handler, 403, b'{"errors":[{"code":"DENIED"}]}')

    with lying(answer) as host:
        client = connect()
        repository = Repository.parse(f"{host}/m")
        with pytest.raises(RegistryError, match="HTTP 403"):
            client.head(repository.tagged("v1"))
        client.check_push(repository)
        assert client.head(repository.tagged("v1")) is None
        assert client.manifest(repository.tagged("v1")) is None
        assert client.tags(repository) == []
        assert not client.has_blob(repository, Digest(sha256(b"")))


def test_a_registry_that_is_asked_too_often_is_asked_less_at_once() -> None:
    at_once: list[int] = []
    running = 0
    lock = threading.Lock()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal running
        with lock:
            running += 1
            at_once.append(running)
            first = len(at_once) == 1
        threading.Event().wait(0.02)
        with lock:
            running -= 1
        reply(handler, 429 if first else 404, b"", {"Retry-After": "0"})

    with lying(answer) as host:
        client = connect(retries=1, concurrency=8)
        repository = Repository.parse(f"{host}/m")
        client.head(repository.tagged("v0"))
        at_once.clear()
        client.map(lambda n: client.head(repository.tagged(f"v{n}")), range(24))
        assert 1 < max(at_once) <= 4
