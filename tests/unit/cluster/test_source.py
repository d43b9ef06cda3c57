"""Sources: credentials of one host, certificates without keys."""

import base64
import json

import pytest
import yaml

from orchestrator.cluster.manifest import to_yaml
from orchestrator.cluster.source import ModuleSource, certificates, docker_config
from orchestrator.errors import ConfigError, UsageError
from orchestrator.model import Repository
from orchestrator.registry.auth import Credentials
from tests.crds import wrong

R = Repository.parse("registry.example.com:5000/deckhouse/modules")
PAIR = Credentials(username="robot", password="very:secret")
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB+/A=\nMIIC\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


def test_a_docker_config_of_one_host() -> None:
    text = docker_config(R.registry, PAIR)
    value = json.loads(base64.b64decode(text))
    assert list(value) == ["auths"] and list(value["auths"]) == ["registry.example.com:5000"]
    assert base64.b64decode(value["auths"][R.registry]["auth"]) == b"robot:very:secret"
    assert docker_config(R.registry, PAIR) == text


def test_an_identity_token_is_of_no_use_to_a_cluster() -> None:
    with pytest.raises(ConfigError, match="identity token") as refused:
        docker_config(R.registry, Credentials(identity_token="very-secret"))
    assert "very-secret" not in str(vars(refused.value))


def test_only_certificates_leave_the_file() -> None:
    pem = f"# ours\n{KEY}{CERTIFICATE}text\n{CERTIFICATE}".replace("\n", "\r\n")
    assert certificates(pem.encode()) == CERTIFICATE * 2
    for nothing in (b"", b"\xff\xfe", KEY.encode(), CERTIFICATE[:40].encode()):
        with pytest.raises(ConfigError, match="no certificate"):
            certificates(nothing)


def test_the_manifest_fits_the_schema() -> None:
    made = ModuleSource.make("dev", R, insecure=False, ca=CERTIFICATE.encode(), credentials=PAIR)
    text = to_yaml(made.manifest())
    assert wrong(text) == []
    registry = yaml.safe_load(text)["spec"]["registry"]
    assert registry["ca"] == CERTIFICATE
    assert registry["repo"] == str(R) and registry["scheme"] == "HTTPS"
    assert "secret" not in repr(made)


def test_anonymous_and_plain() -> None:
    local = Repository.parse("127.0.0.1:5000/modules")
    made = ModuleSource.make("dev", local, insecure=True, ca=None, credentials=None)
    text = to_yaml(made.manifest())
    assert wrong(text) == []
    assert "dockerCfg" not in text and "scheme: HTTP\n" in text
    assert made.on_loopback
    for name in ("No Name", "deckhouse"):
        with pytest.raises(UsageError):
            ModuleSource.make(name, local, insecure=True, ca=None, credentials=None)
