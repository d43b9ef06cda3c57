"""The operations of a registry: manifests, blobs, tags, copies. HEAD before PUT, digests checked."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from orchestrator import parallel
from orchestrator.errors import ConfigError, RegistryError, VerificationError
from orchestrator.model import Digest, Reference, Repository
from orchestrator.process import Runner
from orchestrator.registry.auth import AuthTransport, DockerConfig
from orchestrator.registry.failure import failure
from orchestrator.registry.manifest import (
    MANIFEST_TYPES,
    Descriptor,
    Manifest,
    parse_json,
)
from orchestrator.registry.retry import Retry
from orchestrator.registry.transport import (
    Body,
    HttpTransport,
    RedirectTransport,
    Request,
    Response,
    Transport,
    follow,
    is_loopback,
)

_MOST_PAGES: Final = 10_000
_NEXT: Final = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')

T = TypeVar("T")
R = TypeVar("R")


class Registry:
    """All registries that a run talks to; thread-safe."""

    def __init__(
        self,
        transport: Transport,
        *,
        retry: Retry,
        insecure: bool = False,
        concurrency: int = 8,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self._transport = transport
        self._retry = retry
        self._insecure = insecure
        self._concurrency = concurrency
        self._schemes: dict[str, str] = {}
        self._writable: set[Repository] = set()
        self.forget_tokens = forget

    @classmethod
    def connect(
        cls,
        *,
        env: Mapping[str, str],
        runner: Runner,
        insecure: bool = False,
        ca_file: Path | None = None,
        retries: int = 5,
        timeout: float = 60.0,
        concurrency: int = 8,
        docker_config: Path | None = None,
    ) -> Self:
        """Over HTTP, with credentials from the Docker config; `timeout` in seconds."""
        http = HttpTransport(environ=env, timeout=timeout, connections=concurrency, ca_file=ca_file)
        home = Path(env.get("HOME") or Path.home())
        config = DockerConfig(docker_config or home / ".docker", runner)
        auth = AuthTransport(RedirectTransport(http), config)
        return cls(
            auth,
            retry=Retry(retries=retries),
            insecure=insecure,
            concurrency=concurrency,
            forget=auth.forget,
        )

    # Manifests

    def head(self, reference: Reference) -> Descriptor | None:
        """What a reference names, None where there is nothing."""
        response = self._ask("HEAD", reference)
        if response is None:
            return None
        claimed = response.headers.get("docker-content-digest")
        length = response.headers.get("content-length", "")
        if claimed is None or not length.isdigit():
            manifest = self.manifest(reference)
            if manifest is None:
                return None
            return Descriptor(
                media_type=manifest.media_type, digest=manifest.digest, size=manifest.size
            )
        digest = _parsed_digest(claimed, reference)
        if reference.digest is not None and digest != reference.digest:
            raise VerificationError(f"{reference}: the registry answers with {digest}")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        return Descriptor(media_type=media_type, digest=digest, size=int(length))

    def manifest(self, reference: Reference) -> Manifest | None:
        """The manifest, its bytes checked against every digest at hand; None where there is none."""
        response = self._ask("GET", reference)
        if response is None:
            return None
        data = response.body
        digest = Digest("sha256:" + hashlib.sha256(data).hexdigest())
        claimed = response.headers.get("docker-content-digest")
        for expected in filter(None, (claimed, reference.digest)):
            if expected != digest:
                raise VerificationError(
                    f"{reference}: the manifest has the digest {digest}, not {expected[:80]}",
                    hint="something between here and the registry changes its answers",
                )
        value = parse_json(data, str(reference))
        if not isinstance(value, dict):
            raise RegistryError(f"{reference}: the manifest is not a JSON object")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        if media_type not in MANIFEST_TYPES:
            media_type = str(value.get("mediaType") or media_type)
        return Manifest(media_type=media_type, digest=digest, data=data, json=value)

    def put_manifest(self, reference: Reference, data: bytes, media_type: str) -> Digest:
        """Store a manifest under a tag or its digest."""
        digest = Digest("sha256:" + hashlib.sha256(data).hexdigest())
        response = self._send(
            "PUT",
            reference.repository,
            f"manifests/{reference.target}",
            what=str(reference),
            headers={"Content-Type": media_type},
            body=data,
            push=True,
            expect={200, 201, 202},
        )
        claimed = response.headers.get("docker-content-digest")
        if claimed is not None and claimed != digest:
            raise VerificationError(f"{reference}: stored as {claimed[:80]}, sent as {digest}")
        return digest

    def check_push(self, repository: Repository) -> None:
        """Open an upload and cancel it, once; raises RegistryError where that is not allowed."""
        if repository in self._writable:
            return
        what = f"an upload to {repository}"
        started = self._send(
            "POST", repository, "blobs/uploads/", what=what, body=b"", push=True, expect={202}
        )
        self._cancel(repository, started, what)
        self._writable.add(repository)

    def _cancel(self, repository: Repository, started: Response, what: str) -> None:
        if started.headers.get("location"):
            url = self._session(repository, started, what)
            self._send("DELETE", repository, url, what=what, push=True, expect=set(range(200, 500)))

    def _ask(self, method: str, reference: Reference) -> Response | None:
        response = self._send(
            method,
            reference.repository,
            f"manifests/{reference.target}",
            what=str(reference),
            headers={"Accept": ", ".join(MANIFEST_TYPES)},
            expect=self._found_or_not(reference.repository),
        )
        return response if response.status == 200 else None

    def _found_or_not(self, repository: Repository) -> set[int]:
        """Some registries deny reading a repository before its first push: where we may write,

        denied means not created yet.
        """
        return {200, 403, 404} if repository in self._writable else {200, 404}

    # Blobs

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        what, expect = f"{repository}@{digest}", self._found_or_not(repository)
        response = self._send("HEAD", repository, f"blobs/{digest}", what=what, expect=expect)
        return response.status == 200

    def blob(self, repository: Repository, digest: Digest, limit: int) -> Iterator[bytes]:
        """The blob in pieces; raises VerificationError for more bytes, or at the end another hash."""
        what = f"{repository}@{digest}"
        response = self._send(
            "GET", repository, f"blobs/{digest}", what=what, stream=True, expect={200}
        )
        found = hashlib.sha256()
        left = limit
        for chunk in response.chunks():
            left -= len(chunk)
            if left < 0:
                response.close()
                raise VerificationError(f"{what} is larger than {limit} bytes")
            found.update(chunk)
            yield chunk
        if found.hexdigest() != digest.hex:
            raise VerificationError(f"{what}: the blob has the digest sha256:{found.hexdigest()}")

    def read(
        self,
        repository: Repository,
        digest: Digest,
        limit: int,
        reader: Callable[[Iterator[bytes]], R],
    ) -> R:
        """What `reader` makes of a blob, once its hash is checked; it starts anew where a transfer

        breaks off.
        """

        def attempt() -> R:
            chunks = self.blob(repository, digest, limit)
            made = reader(chunks)
            for _ in chunks:
                pass
            return made

        return self._retry.call(attempt)

    def read_blob(self, repository: Repository, digest: Digest, limit: int) -> bytes:
        """A whole blob of at most `limit` bytes."""
        return self.read(repository, digest, limit, b"".join)

    def put_blob(self, repository: Repository, digest: Digest, size: int, body: Body) -> bool:
        """Store a blob that `body()` yields anew for every try; False where it was there."""
        if self.has_blob(repository, digest):
            return False
        self._retry.call(lambda: self._upload(repository, digest, size, body))
        return True

    def _upload(self, repository: Repository, digest: Digest, size: int, body: Body) -> None:
        """One upload in one piece: a broken one starts again with a new session."""
        what = f"{repository}@{digest}"
        start = self._once(
            "POST", repository, "blobs/uploads/", what=what, body=b"", push=True, expect={202}
        )
        url = self._session(repository, start, what)
        separator = "&" if urlsplit(url).query else "?"
        self._once(
            "PUT",
            repository,
            f"{url}{separator}{urlencode({'digest': digest})}",
            what=what,
            headers={"Content-Type": "application/octet-stream"},
            body=body,
            size=size,
            push=True,
            expect={201, 204},
        )

    def mount(self, repository: Repository, digest: Digest, source: Repository) -> bool:
        """Take a blob over from another repository of the same registry; False where it will not."""
        if repository.registry != source.registry:
            return False
        what = f"{repository}@{digest}"
        query = urlencode({"mount": digest, "from": source.path})
        response = self._send(
            "POST",
            repository,
            f"blobs/uploads/?{query}",
            what=what,
            body=b"",
            push=True,
            source=source,
            expect={201, 202},
        )
        if response.status == 201:
            return True
        self._cancel(repository, response, what)
        return False

    def _session(self, repository: Repository, response: Response, what: str) -> str:
        location = response.headers.get("location")
        if not location:
            raise RegistryError(f"POST {what}: the registry names no place for the upload")
        return follow(self._url(repository, ""), location, what=what)

    # Tags

    def tags(self, repository: Repository) -> list[str]:
        """All tags, page by page; none where there is no such repository."""
        found: dict[str, None] = {}
        path = "tags/list?n=1000"
        seen: set[str] = set()
        while path not in seen:
            if len(seen) >= _MOST_PAGES:
                raise RegistryError(f"{repository}: its list of tags does not end")
            seen.add(path)
            expect = self._found_or_not(repository)
            response = self._send(
                "GET", repository, path, what=f"tags of {repository}", expect=expect
            )
            if response.status != 200:
                break
            value = parse_json(response.body, f"tags of {repository}")
            names = value.get("tags") if isinstance(value, dict) else None
            found.update(dict.fromkeys(n for n in names or () if isinstance(n, str)))
            link = _NEXT.search(response.headers.get("link", ""))
            if link is None:
                break
            here = self._url(repository, path)
            path = follow(here, link[1], what=f"tags of {repository}")
        return list(found)

    # Several at once

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Results in order, some requests at once; the first error after all have ended."""
        several = list(items)
        if len(several) < 2:
            return [function(item) for item in several]
        return parallel.several(function, several, at_once=self._concurrency)

    # Requests

    def _send(self, method: str, repository: Repository, path: str, **options: Any) -> Response:
        return self._retry.call(lambda: self._once(method, repository, path, **options))

    def _once(
        self,
        method: str,
        repository: Repository,
        path: str,
        *,
        what: str,
        expect: set[int],
        headers: Mapping[str, str] | None = None,
        body: bytes | Body | None = None,
        size: int | None = None,
        push: bool = False,
        source: Repository | None = None,
        stream: bool = False,
    ) -> Response:
        scopes = [f"repository:{repository.path}:{'pull,push' if push else 'pull'}"]
        if source is not None and source != repository:
            scopes.append(f"repository:{source.path}:pull")
        request = Request(
            method=method,
            url=path if "://" in path else self._url(repository, path),
            what=what,
            headers=headers or {},
            body=body,
            size=size,
            scopes=tuple(scopes),
            stream=stream,
        )
        response = self._transport.send(request)
        if response.status in expect:
            return response
        response.close()
        if response.status == 429:
            # Every pool that is opened from now on asks less at once.
            self._concurrency = max(1, self._concurrency // 2)
        raise failure(request, response)

    def _url(self, repository: Repository, path: str) -> str:
        host = repository.registry
        if host in {"docker.io", "index.docker.io"}:
            host = "registry-1.docker.io"
        return f"{self._scheme(host)}://{host}/v2/{repository.path}/{path}"

    def _scheme(self, host: str) -> str:
        if is_loopback(host):
            return "http"
        if not self._insecure:
            return "https"
        if host not in self._schemes:
            self._schemes[host] = self._probe_scheme(host)
        return self._schemes[host]

    def _probe_scheme(self, host: str) -> str:
        """HTTPS where it is spoken: --insecure-registry allows plain HTTP and does not ask for it."""
        try:
            self._transport.send(
                Request(method="GET", url=urljoin(f"https://{host}", "/v2/"), what=host)
            )
        except RegistryError:
            return "http"
        return "https"


def _parsed_digest(text: str, reference: Reference) -> Digest:
    try:
        return Digest.parse(text)
    except ConfigError as error:
        raise RegistryError(f"{reference}: {error.message[:200]}") from error
