"""Where redirects may lead, and which hosts are this machine."""

import pytest

from orchestrator.errors import ConfigError, RegistryError
from orchestrator.registry.transport import HttpTransport, Request, follow, is_loopback


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("127.0.0.1.example.com", False),
        ("registry", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("origin", "location", "target"),
    [
        ("https://r.io/v2/m/", "/v2/x", "https://r.io/v2/x"),
        ("https://r.io/v2/m/", "https://cdn.io/b?sig=1", "https://cdn.io/b?sig=1"),
        ("http://127.0.0.1:5000/v2/", "http://10.0.0.1/x", "http://10.0.0.1/x"),
        ("https://r.io/v2/m/", "../y", "https://r.io/v2/y"),
    ],
)
def test_good_redirects(origin: str, location: str, target: str) -> None:
    assert follow(origin, location, what="x") == target


@pytest.mark.parametrize(
    "location",
    [
        "http://r.io/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.1.2.3/x",
        "https://169.254.169.254/latest",
        "https://[::1]/x",
        "file:///etc/passwd",
        "ftp://r.io/x",
        "https://user@r.io/x",
    ],
)
def test_bad_redirects(location: str) -> None:
    with pytest.raises(RegistryError) as caught:
        follow("https://r.io/v2/", location, what="m:v1")
    assert "m:v1" in caught.value.message


@pytest.mark.parametrize(
    ("environ", "host", "proxy"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "r.io", "http://p:1"),
        ({"https_proxy": "p:1"}, "r.io", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.io, .io"}, "r.io", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "r.io", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "o"}, "r.io", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "127.0.0.1:5000", None),
        ({}, "r.io", None),
    ],
)
def test_proxies(environ: dict[str, str], host: str, proxy: str | None) -> None:
    transport = HttpTransport(environ=environ, timeout=1, connections=1)
    assert transport._proxy("https", host) == proxy


def test_a_broken_authority_file_is_named(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "ca.pem"
    path.write_text("no certificate")
    transport = HttpTransport(environ={}, timeout=1, connections=1, ca_file=path)
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        transport.send(Request(method="GET", url="https://127.0.0.1:1/", what="x"))
