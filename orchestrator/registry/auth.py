"""Credentials from the Docker config and its helpers, and the bearer and basic schemes."""

import base64
import binascii
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from orchestrator.errors import ConfigError, RegistryError, TransientError
from orchestrator.process import Command, Runner
from orchestrator.registry.transport import Request, Response, Transport, is_loopback

_PARAMETER: Final = re.compile(r'([a-zA-Z_]+)="((?:[^"\\]|\\.)*)"|([a-zA-Z_]+)=([^\s,"]+)')
_HELPER: Final = re.compile(r"[A-Za-z0-9._-]+")
_DOCKER_HUB: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HUB_KEY: Final = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user name with a password, or an identity token."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


class DockerConfig:
    """`config.json` as docker and its relatives write it, read anew at every look-up.

    A CI token may be replaced in the file during a long build.
    """

    def __init__(self, directory: Path, runner: Runner) -> None:
        self.path = directory / "config.json"
        self._runner = runner

    def credentials(self, host: str, path: str = "") -> Credentials | None:
        """For a registry, or for a repository of it where an entry is that narrow."""
        config = self._read()
        helpers = config.get("credHelpers")
        helper = helpers.get(host) if isinstance(helpers, dict) else None
        if isinstance(helper, str):
            return self._from_helper(helper, host)
        auths = config.get("auths")
        entry = _entry(auths if isinstance(auths, dict) else {}, host, path)
        found = _from_entry(entry, self.path, host) if entry else None
        store = config.get("credsStore")
        if found is None and isinstance(store, str) and store:
            return self._from_helper(store, host)
        return found

    def _read(self) -> dict[str, Any]:
        try:
            config = json.loads(self.path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"{self.path} is not JSON", hint="log in again, or point --docker-config elsewhere"
            ) from error
        except OSError as error:
            raise ConfigError(f"cannot read {self.path}: {error.strerror}") from error
        return config if isinstance(config, dict) else {}

    def _from_helper(self, name: str, host: str) -> Credentials | None:
        """The protocol of docker-credential-helpers: the server on stdin, JSON on stdout."""
        program = f"docker-credential-{name}"
        if not _HELPER.fullmatch(name) or self._runner.which(program) is None:
            raise ConfigError(
                f"{self.path} names the credential helper {program!r}, which is not on PATH",
                hint=f"install it, or log in to {host} with another helper",
            )
        server = _HUB_KEY if host in _DOCKER_HUB else host
        outcome = self._runner.run(
            Command(argv=(program, "get"), stdin=server.encode()), timeout=60.0
        )
        if outcome.exit_code != 0:
            return None
        try:
            answer = json.loads(outcome.stdout)
            username, secret = answer["Username"], answer["Secret"]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{program} get {host}: its answer is not as expected") from error
        if username == "<token>":
            return Credentials(identity_token=secret)
        return Credentials(username=username, password=secret)


def _entry(auths: Mapping[str, Any], host: str, path: str) -> Mapping[str, Any] | None:
    """The narrowest entry: of the repository, of a parent of it, of the host."""
    normal = {
        key.removeprefix("https://").removeprefix("http://").rstrip("/"): value
        for key, value in auths.items()
    }
    hosts = _DOCKER_HUB if host in _DOCKER_HUB else (host,)
    for name in hosts:
        parts = [name, *filter(None, path.split("/"))]
        candidates = ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
        for key in (*candidates, f"{name}/v1", f"{name}/v2"):
            if isinstance(normal.get(key), dict):
                found: Mapping[str, Any] = normal[key]
                return found
    return None


def _from_entry(entry: Mapping[str, Any], path: Path, host: str) -> Credentials | None:
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credentials(identity_token=token)
    encoded = entry.get("auth")
    if isinstance(encoded, str) and encoded:
        try:
            username, colon, password = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise ConfigError(
                f"{path}: the entry of {host} is not base64 of user:password"
            ) from error
        if not colon:
            raise ConfigError(f"{path}: the entry of {host} is not base64 of user:password")
        return Credentials(username=username, password=password.rstrip("\0"))
    if isinstance(entry.get("username"), str) and entry.get("password"):
        return Credentials(username=entry["username"], password=str(entry["password"]))
    return None


def parse_challenge(header: str) -> tuple[str, dict[str, str]]:
    """Scheme in lower case and parameters of a WWW-Authenticate header (RFC 9110, section 11.6.1)."""
    scheme, _, rest = header.strip().partition(" ")
    parameters = {
        (quoted or bare).lower(): re.sub(r"\\(.)", r"\1", text) if quoted else plain
        for quoted, text, bare, plain in _PARAMETER.findall(rest)
    }
    return scheme.lower(), parameters


class AuthTransport:
    """Answers challenges; tokens are kept by registry and scope and fetched anew when they expire."""

    def __init__(self, inner: Transport, config: DockerConfig) -> None:
        self._inner = inner
        self._config = config
        self._headers: dict[tuple[str, tuple[str, ...]], str] = {}
        self._lock = threading.Lock()

    def send(self, request: Request) -> Response:
        key = (request.host, request.scopes)
        header = self._headers.get(key)
        response = self._inner.send(_with(request, header))
        challenge = response.headers.get("www-authenticate")
        if response.status != 401 or challenge is None:
            return response
        with self._lock:
            # Another thread may have answered the same challenge while we waited.
            fresh = self._headers.get(key)
            if fresh is None or fresh == header:
                fresh = self._answer(request, challenge)
                if fresh is None:
                    return response
                self._headers[key] = fresh
        return self._inner.send(_with(request, fresh))

    def forget(self) -> None:
        """Drop all tokens: credentials are looked up anew."""
        with self._lock:
            self._headers.clear()

    def _answer(self, request: Request, challenge: str) -> str | None:
        scheme, parameters = parse_challenge(challenge)
        path = _repository(request.scopes)
        credentials = self._config.credentials(request.host, path)
        if scheme == "basic":
            return credentials.basic if credentials and credentials.username else None
        if scheme != "bearer":
            raise RegistryError(f"{request.host} asks for the unknown scheme {scheme[:40]!r}")
        return "Bearer " + self._token(request, parameters, credentials)

    def _token(
        self, request: Request, parameters: Mapping[str, str], credentials: Credentials | None
    ) -> str:
        """By the distribution specification's token and OAuth2 flows."""
        realm = urlsplit(parameters.get("realm", ""))
        plain = realm.scheme == "http" and (
            is_loopback(request.host) or urlsplit(request.url).scheme == "http"
        )
        if not realm.netloc or not (realm.scheme == "https" or plain) or realm.username:
            raise RegistryError(f"{request.host} names no usable place to get a token from")
        scopes = request.scopes or tuple(filter(None, [parameters.get("scope")]))
        fields = [("service", parameters.get("service", "")), *(("scope", s) for s in scopes)]
        what = f"a token of {realm.netloc} for {request.host}"
        if credentials and credentials.identity_token:
            form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", credentials.identity_token),
                ("client_id", "orchestrator"),
                ("service", parameters.get("service", "")),
                ("scope", " ".join(scopes)),
            ]
            asked = Request(
                method="POST",
                url=realm.geturl(),
                what=what,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode(form).encode(),
            )
        else:
            separator = "&" if realm.query else "?"
            headers = {"Authorization": credentials.basic} if credentials else {}
            url = f"{realm.geturl()}{separator}{urlencode(fields)}"
            asked = Request(method="GET", url=url, what=what, headers=headers)
        return self._read_token(asked, self._inner.send(asked), given=credentials is not None)

    def _read_token(self, asked: Request, response: Response, *, given: bool) -> str:
        if response.status == 429 or response.status >= 500:
            raise TransientError(f"{asked.what}: HTTP {response.status}", status=response.status)
        if response.status != 200:
            how = "were refused" if given else "are missing"
            raise RegistryError(
                f"{asked.what}: HTTP {response.status}: credentials {how}",
                status=response.status,
                hint=f"log in to the registry; credentials are read from {self._config.path}",
            )
        try:
            answer = json.loads(response.body)
            token = answer.get("token") or answer.get("access_token")
        except (ValueError, AttributeError, RecursionError) as error:
            raise RegistryError(f"{asked.what}: the answer is not JSON") from error
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise RegistryError(f"{asked.what}: there is none in the answer")
        return token


def _with(request: Request, header: str | None) -> Request:
    if header is None:
        return request
    return replace(request, headers={**request.headers, "Authorization": header})


def _repository(scopes: tuple[str, ...]) -> str:
    return next((s.split(":")[1] for s in scopes if s.startswith("repository:")), "")
