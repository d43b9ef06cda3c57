"""Credentials: where they come from, whom they are shown to, and that nobody prints them."""

import base64
import json
import os
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestrator.errors import ConfigError, RegistryError
from orchestrator.model import Repository
from orchestrator.process import LocalRunner
from orchestrator.registry.auth import Credentials, DockerConfig, parse_challenge
from orchestrator.registry.image import assemble, push
from tests.harness import real_registry
from tests.unit.registry.conftest import connect
from tests.unit.registry.test_client import lying, reply

# The bcrypt hash of pass-word.
HTPASSWD = "user:$2b$04$aYTVlEZ0LoWit25WGeFYIe6S2PpK.V5OlbQ5euTrtKiQrrsrOf2fi\n"


def config(directory: Path, value: object) -> DockerConfig:
    (directory / "config.json").write_text(json.dumps(value))
    return DockerConfig(directory, LocalRunner(os.environ))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("key", "host", "path"),
    [
        ("r.io", "r.io", ""),
        ("https://r.io", "r.io", "a/b"),
        ("https://r.io/v1/", "r.io", ""),
        ("r.io:5000", "r.io:5000", ""),
        ("r.io/a", "r.io", "a/b"),
        ("https://index.docker.io/v1/", "docker.io", "library/x"),
        ("https://index.docker.io/v1/", "registry-1.docker.io", ""),
    ],
)
def test_entries(tmp_path: Path, key: str, host: str, path: str) -> None:
    found = config(tmp_path, {"auths": {key: {"auth": encoded("u:p:w")}}}).credentials(host, path)
    assert found == Credentials(username="u", password="p:w")


def test_the_narrowest_entry_counts(tmp_path: Path) -> None:
    auths = {"r.io": {"auth": encoded("a:1")}, "r.io/m": {"auth": encoded("b:2")}}
    found = config(tmp_path, {"auths": auths})
    assert found.credentials("r.io", "m/x") == Credentials(username="b", password="2")
    assert found.credentials("r.io", "other") == Credentials(username="a", password="1")
    assert found.credentials("other.io") is None


def test_other_forms(tmp_path: Path) -> None:
    auths = {"a": {"identitytoken": "t"}, "b": {"username": "u", "password": "p"}, "c": {}}
    found = config(tmp_path, {"auths": auths})
    assert found.credentials("a") == Credentials(identity_token="t")
    assert found.credentials("b") == Credentials(username="u", password="p")
    assert found.credentials("c") is None
    assert DockerConfig(tmp_path / "nowhere", LocalRunner(os.environ)).credentials("a") is None


@pytest.mark.parametrize("text", ["{", "\0", '{"auths": {"r.io": {"auth": "%%"}}}'])
def test_broken_files_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json"):
        DockerConfig(tmp_path, LocalRunner(os.environ)).credentials("r.io")


def test_helpers(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    helper = tools / "docker-credential-test"
    helper.write_text(
        '#!/bin/sh\n[ "$1" = get ] && [ $# = 1 ] || exit 9\nread -r host || [ -n "$host" ]\n'
        'case $host in r.io) echo \'{"Username": "u", "Secret": "s"}\';;\n'
        't.io) echo \'{"Username": "<token>", "Secret": "s"}\';;\n'
        "bad.io) echo oops;;\n*) exit 1;; esac\n"
    )
    helper.chmod(0o755)
    runner = LocalRunner({**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
    try:
        (tmp_path / "config.json").write_text(
            json.dumps({"credHelpers": {"x.io": "missing"}, "credsStore": "test"})
        )
        found = DockerConfig(tmp_path, runner)
        assert found.credentials("r.io") == Credentials(username="u", password="s")
        assert found.credentials("t.io") == Credentials(identity_token="s")
        assert found.credentials("other.io") is None
        with pytest.raises(ConfigError, match="is not as expected"):
            found.credentials("bad.io")
        with pytest.raises(ConfigError, match="docker-credential-missing"):
            found.credentials("x.io")
    finally:
        LocalRunner(os.environ)


def test_secrets_are_not_in_a_repr() -> None:
    text = repr(Credentials(username="u", password="secret-1", identity_token="secret-2"))
    assert "secret" not in text


def test_challenges() -> None:
    header = 'Bearer realm="https://a/t",service="r, \\"x\\"",scope="repository:a:pull,push"'
    assert parse_challenge(header) == (
        "bearer",
        {"realm": "https://a/t", "service": 'r, "x"', "scope": "repository:a:pull,push"},
    )
    assert parse_challenge("Basic realm=plain") == ("basic", {"realm": "plain"})


def test_basic_on_a_real_registry(tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = f"auth: {{htpasswd: {{realm: test, path: {tmp_path}/htpasswd}}}}\n"
    made = assemble([], annotations={}, created=None)
    with real_registry(tmp_path / "registry", extra=auth) as registry:
        reference = Repository.parse(f"{registry.address}/m").tagged("v1")
        with pytest.raises(RegistryError, match="HTTP 401") as caught:
            connect(tmp_path / "none").head(reference)
        assert "log in" in (caught.value.hint or "")
        auths = {registry.address: {"auth": encoded("user:pass-word")}}
        (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
        assert push(connect(tmp_path), made, reference) == made.digest


def test_the_token_flow(tmp_path: Path) -> None:
    """Asked once a scope, with the credentials; refreshed when it expires; push asks for push."""
    asked: list[tuple[dict[str, list[str]], str]] = []
    state = {"valid": "token-1"}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        given = handler.headers.get("Authorization", "")
        if parts.path == "/token":
            asked.append((parse_qs(parts.query), given))
            reply(handler, 200, json.dumps({"token": state["valid"]}).encode())
        elif given != f"Bearer {state['valid']}":
            realm = f"http://{handler.headers['Host']}/token"
            challenge = f'Bearer realm="{realm}",service="r",scope="repository:m:pull"'
            reply(handler, 401, b"", {"WWW-Authenticate": challenge})
        else:
            reply(handler, 404, b"")

    with lying(answer) as host:
        auths = {host: {"auth": encoded("u:p")}}
        (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
        client = connect(tmp_path)
        repository = Repository.parse(f"{host}/m")
        client.head(repository.tagged("v1"))
        client.head(repository.tagged("v2"))
        assert asked == [
            ({"service": ["r"], "scope": ["repository:m:pull"]}, "Basic " + encoded("u:p"))
        ]
        state["valid"] = "token-2"
        client.head(repository.tagged("v1"))
        assert len(asked) == 2


def test_refused_credentials_say_where_they_came_from(tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/token"):
            reply(handler, 401, b"")
        else:
            realm = f"http://{handler.headers['Host']}/token"
            reply(handler, 401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}"'})

    with lying(answer) as host, pytest.raises(RegistryError) as caught:
        connect(tmp_path).head(Repository.parse(f"{host}/m").tagged("v1"))
    assert "credentials are missing" in caught.value.message
    assert str(tmp_path / "config.json") in (caught.value.hint or "")


def test_a_redirect_does_not_take_credentials_along(tmp_path: Path) -> None:
    seen: list[str | None] = []

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers.get("Authorization"))
        reply(handler, 404, b"")

    with lying(elsewhere) as other:

        def answer(handler: BaseHTTPRequestHandler) -> None:
            if "Authorization" not in handler.headers:
                reply(handler, 401, b"", {"WWW-Authenticate": 'Basic realm="x"'})
            else:
                reply(handler, 307, b"", {"Location": f"http://{other}/away"})

        with lying(answer) as host:
            auths = {host: {"auth": encoded("u:p")}}
            (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
            connect(tmp_path).head(Repository.parse(f"{host}/m").tagged("v1"))
    assert seen == [None]


def test_a_plain_realm_is_for_plain_registries_only() -> None:
    from orchestrator.registry.auth import AuthTransport
    from orchestrator.registry.transport import Request, Response

    class Challenging:
        def send(self, _request: Request) -> Response:
            header = 'Bearer realm="http://evil.example.com/token"'
            return Response(status=401, headers={"www-authenticate": header})

    auth = AuthTransport(Challenging(), DockerConfig(Path("/nowhere"), LocalRunner(os.environ)))
    with pytest.raises(RegistryError, match="no usable place"):
        auth.send(Request(method="GET", url="https://r.example.com/v2/", what="x"))
