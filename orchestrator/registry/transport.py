"""HTTP to registries: pooled, streamed, with bounded bodies; redirects followed with care."""

import ipaddress
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urljoin, urlsplit

import urllib3

from orchestrator import __version__
from orchestrator.errors import ConfigError, RegistryError, TransientError

BODY_LIMIT: Final = 4 * 1024 * 1024
CHUNK: Final = 1024 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_CONNECT_SECONDS: Final = 10.0

Body = Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`what` names the thing asked for in errors; `scopes` are what a token has to allow."""

    method: str
    url: str
    what: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Body | None = None
    size: int | None = None
    scopes: tuple[str, ...] = ()
    stream: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """`headers` have lower-case names; a streamed body comes by `chunks()`, once."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    stream: Any = None

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces; raises TransientError where the connection breaks."""
        if self.stream is None:
            yield self.body
            return
        try:
            yield from self.stream.stream(CHUNK, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise TransientError(f"the answer broke off: {_reason(error)}") from error
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back, or drop it where the body was not read to its end."""
        if self.stream is not None:
            self.stream.close()
            self.stream.release_conn()


class Transport(Protocol):
    """Sends one request; raises RegistryError where there is no HTTP answer."""

    def send(self, request: Request) -> Response: ...


def is_loopback(host: str) -> bool:
    """Whether `host[:port]` is this machine by its name."""
    name = _hostname(host)
    if name == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return False


def _hostname(host: str) -> str:
    return (urlsplit(f"//{host}").hostname or "").lower()


def _is_private(host: str) -> bool:
    name = _hostname(host)
    if name == "localhost":
        return True
    with suppress(ValueError):
        address = ipaddress.ip_address(name)
        return not address.is_global
    return False


def follow(origin: str, location: str, *, what: str) -> str:
    """The URL that a registry sends us to; raises RegistryError where no honest one would."""
    target = urljoin(origin, location)
    here, there = urlsplit(origin), urlsplit(target)
    if there.scheme not in {"http", "https"} or not there.netloc or there.username is not None:
        raise RegistryError(f"{what}: {here.netloc} redirects to something that is no plain URL")
    if here.scheme == "https" and there.scheme == "http":
        raise RegistryError(f"{what}: {here.netloc} redirects from HTTPS to plain HTTP")
    if there.netloc != here.netloc and _is_private(there.netloc) and not _is_private(here.netloc):
        raise RegistryError(
            f"{what}: {here.netloc} redirects to the private address {there.netloc}",
            hint="a registry that does so is broken or hostile; talk to who runs it",
        )
    return target


class HttpTransport:
    """urllib3 underneath; `send` is the only place where bytes leave this process."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        timeout: float,
        connections: int,
        ca_file: Path | None = None,
    ) -> None:
        self._environ = environ
        self._timeout = timeout
        self._options: dict[str, Any] = {
            "num_pools": 16,
            "maxsize": connections,
            "retries": False,
            "timeout": urllib3.Timeout(connect=min(timeout, _CONNECT_SECONDS), read=timeout),
        }
        self._ca_file = ca_file
        self._pools: dict[str, urllib3.PoolManager] = {}

    def send(self, request: Request) -> Response:
        body = request.body() if callable(request.body) else request.body
        headers = {"User-Agent": f"orchestrator/{__version__}", **request.headers}
        if request.size is not None:
            headers["Content-Length"] = str(request.size)
        try:
            answer = self._pool(request.url).urlopen(
                request.method,
                request.url,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unanswered(request, error, self._timeout) from error
        found = {name.lower(): value for name, value in answer.headers.items()}
        if request.stream and answer.status in {200, 206}:
            return Response(status=answer.status, headers=found, stream=answer)
        return Response(status=answer.status, headers=found, body=self._read(request, answer))

    def _read(self, request: Request, answer: Any) -> bytes:
        try:
            data: bytes = answer.read(BODY_LIMIT + 1, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unanswered(request, error, self._timeout) from error
        finally:
            if not answer.closed and answer.length_remaining not in {0, None}:
                answer.close()
            answer.release_conn()
        if len(data) > BODY_LIMIT:
            raise RegistryError(
                f"{request.method} {request.what}: the answer is larger than "
                f"{BODY_LIMIT // 1024 // 1024} MiB",
                status=answer.status,
            )
        return data

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = self._proxy(parts.scheme, parts.netloc)
        key = proxy or ""
        if key not in self._pools:
            options = dict(self._options)
            if parts.scheme == "https" or self._ca_file:
                options["ssl_context"] = self._tls()
            self._pools[key] = (
                urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
            )
        elif parts.scheme == "https":
            self._pools[key].connection_pool_kw.setdefault("ssl_context", self._tls())
        return self._pools[key]

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file is not None:
            try:
                context.load_verify_locations(self._ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"{self._ca_file} does not hold certificates in PEM form: {error}",
                    hint="see --ca-file",
                ) from error
        return context

    def _proxy(self, scheme: str, host: str) -> str | None:
        names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
        proxy = next((self._environ[name] for name in names if self._environ.get(name)), None)
        if proxy is None or is_loopback(host):
            return None
        bypass = self._environ.get("no_proxy") or self._environ.get("NO_PROXY") or ""
        name = _hostname(host)
        for entry in filter(None, (entry.strip().lower() for entry in bypass.split(","))):
            bare = entry.lstrip("*").lstrip(".")
            if entry == "*" or name == bare or name.endswith(f".{bare}") or host == entry:
                return None
        return proxy if "://" in proxy else f"http://{proxy}"


class RedirectTransport:
    """Follows redirects of reads; credentials stay with the host that asked for them."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    def send(self, request: Request) -> Response:
        for _ in range(_MOST_REDIRECTS):
            response = self._inner.send(request)
            location = response.headers.get("location")
            if (
                request.method not in {"GET", "HEAD"}
                or response.status not in _REDIRECTS
                or location is None
            ):
                return response
            response.close()
            target = follow(request.url, location, what=request.what)
            headers = dict(request.headers)
            if urlsplit(target).netloc != request.host:
                headers.pop("Authorization", None)
            request = replace(request, url=target, headers=headers)
        raise RegistryError(f"{request.what}: more than {_MOST_REDIRECTS} redirects")


def _unanswered(request: Request, error: Exception, timeout: float) -> RegistryError:
    cause = f"{request.method} {request.what}: {_reason(error)}"
    if isinstance(error, urllib3.exceptions.SSLError):
        return RegistryError(
            cause,
            hint=f"give the authority of {request.host} with --ca-file, "
            "or --insecure-registry where it speaks plain HTTP",
        )
    refused = isinstance(error, urllib3.exceptions.NewConnectionError)
    if isinstance(error, urllib3.exceptions.TimeoutError) and not refused:
        cause = f"{request.method} {request.what}: no answer within {timeout:.0f} s (--timeout)"
    return TransientError(cause, hint=f"see that {request.host} is up and can be reached from here")


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words."""
    inner = error
    while (below := getattr(inner, "reason", None) or inner.__cause__) is not None:
        if not isinstance(below, BaseException):
            break
        inner = below
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return str(text).rpartition(": ")[2][:200].lower() if isinstance(text, str) else repr(inner)
