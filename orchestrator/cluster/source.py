"""ModuleSource: where a cluster finds modules, and with which credentials."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any, Final, Self

from orchestrator.cluster.manifest import manifest, parse_name
from orchestrator.errors import ConfigError, UsageError
from orchestrator.fsio import canonical_json
from orchestrator.model import Repository
from orchestrator.registry.auth import Credentials
from orchestrator.registry.transport import is_loopback

KIND: Final = "ModuleSource"
_PLATFORM: Final = "deckhouse"
_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSource:
    """`docker_config` is base64 of a Docker config, empty for anonymous access: a secret."""

    name: str
    repository: Repository
    insecure: bool = False
    authorities: str = ""
    docker_config: str = field(default="", repr=False)

    @classmethod
    def make(
        cls,
        name: str,
        repository: Repository,
        *,
        insecure: bool,
        ca: bytes | None,
        credentials: Credentials | None,
    ) -> Self:
        """Raises UsageError or ConfigError for what a cluster could not use."""
        if name == _PLATFORM:
            raise UsageError(
                f"the ModuleSource {name} is DKP's own, and the modules of the platform come from it",
                hint="give another name, such as my-modules",
            )
        return cls(
            name=parse_name(name),
            repository=repository,
            insecure=insecure,
            authorities=certificates(ca) if ca is not None else "",
            docker_config=docker_config(repository.registry, credentials) if credentials else "",
        )

    @property
    def on_loopback(self) -> bool:
        return is_loopback(self.repository.registry)

    def manifest(self) -> dict[str, Any]:
        registry: dict[str, Any] = {"ca": self.authorities}
        if self.docker_config:
            registry["dockerCfg"] = self.docker_config
        registry["repo"] = str(self.repository)
        registry["scheme"] = "HTTP" if self.insecure else "HTTPS"
        return manifest("v1alpha1", KIND, self.name, {"registry": registry})


def docker_config(host: str, credentials: Credentials) -> str:
    """Base64 of a Docker config with the entry of this host and no other."""
    if credentials.identity_token:
        raise ConfigError(
            f"the credentials of {host} are an identity token, which a cluster cannot pull with",
            hint="log in with a name and a password, such as those of a robot account that may only pull",
        )
    auth = credentials.basic.removeprefix("Basic ")
    config = {"auths": {host: {"auth": auth}}}
    return base64.b64encode(canonical_json(config)).decode()


def certificates(pem: bytes) -> str:
    """The certificates of a PEM file and nothing else of it: a key beside them stays here."""
    found = _CERTIFICATE.findall(pem.decode("ascii", errors="replace").replace("\r\n", "\n"))
    if not found:
        raise ConfigError(
            "the file of --ca-file holds no certificate",
            hint="give a PEM file with -----BEGIN CERTIFICATE-----",
        )
    return "".join(f"{certificate}\n" for certificate in found)
