"""Value types of the domain; each is made by `parse()`, which returns it or raises ConfigError."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    import semver

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
)
_RELEASE: Final = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
# A digit after a dash is lost on the way from kebab case to camel case and back, which DKP walks.
_MODULE_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")

MODULE_NAME_LIMIT: Final = 64
# Fixed here and not asked of Python, whose idea of what is printable moves with Unicode.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def has_control(text: str) -> bool:
    """Whether a text holds a character that no name or value may have, such as a line break."""
    return _CONTROL.search(text) is not None


def escape_control(text: str) -> str:
    """The text with such characters as `\\UXXXXXXXX`, which YAML and Go both read."""
    return _CONTROL.sub(lambda found: f"\\U{ord(found[0]):08x}", text)


class Channel(StrEnum):
    """Release channels in the order in which a version reaches them; lts stands apart."""

    ALPHA = "alpha"
    BETA = "beta"
    EARLY_ACCESS = "early-access"
    STABLE = "stable"
    ROCK_SOLID = "rock-solid"
    LTS = "lts"


class Digest(str):
    """`sha256:<64 lower-case hex>`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        if not _DIGEST.fullmatch(text):
            raise ConfigError(f"{text!r} is not a digest (sha256:<64 hex digits>)")
        return cls(text)

    @property
    def hex(self) -> str:
        return self.removeprefix("sha256:")


def parse_tag(text: str) -> str:
    """A tag as the OCI distribution specification allows it."""
    if not _TAG.fullmatch(text):
        raise ConfigError(
            f"{text!r} is not a legal tag",
            hint="a tag has 1 to 128 characters out of A-Z a-z 0-9 _ . - and starts with none of . -",
        )
    return text


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """`host[:port]/path`, without tag or digest."""

    registry: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        host, slash, path = text.partition("/")
        explicit = "." in host or ":" in host or host == "localhost"
        if "://" in text:
            raise ConfigError(
                f"{text!r}: a repository is named without a scheme", hint="drop http(s)://"
            )
        if not slash or not explicit or not _HOST.fullmatch(host):
            raise ConfigError(
                f"{text!r} does not start with a registry host",
                hint="write it as host[:port]/path, for example registry.example.io/modules",
            )
        if not _PATH.fullmatch(path):
            raise ConfigError(
                f"{text!r} is not a legal repository",
                hint="the path has lower-case letters, digits and . _ - between slashes, and no tag",
            )
        return cls(host, path)

    def __truediv__(self, segment: str) -> "Repository":
        return Repository.parse(f"{self}/{segment}")

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"

    @property
    def last(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> "Repository | None":
        above = self.path.rpartition("/")[0]
        return Repository(self.registry, above) if above else None

    def tagged(self, tag: str) -> "Reference":
        return Reference(self, tag=parse_tag(tag))

    def at(self, digest: Digest) -> "Reference":
        return Reference(self, digest=digest)


@dataclass(frozen=True, slots=True)
class Reference:
    """A manifest in a repository, by tag, by digest, or by both."""

    repository: Repository
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """`host/path:tag`, `host/path@sha256:…` or `host/path:tag@sha256:…`; one of both is needed."""
        rest, at, digest = text.partition("@")
        head, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag:
            head, tag = rest, ""
        if not tag and not at:
            raise ConfigError(f"{text!r} has neither a tag nor a digest")
        return cls(
            Repository.parse(head),
            tag=parse_tag(tag) if tag else None,
            digest=Digest.parse(digest) if at else None,
        )

    @property
    def target(self) -> str:
        """What stands in the URL: the digest where there is one, else the tag."""
        return self.digest or self.tag or ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


class ModuleName(str):
    """A kebab-case name of at most 64 characters that is not `modules` (DKP skips that one)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        if not _MODULE_NAME.fullmatch(text) or len(text) > MODULE_NAME_LIMIT or text == "modules":
            raise ConfigError(
                f"{text!r} is not a module name",
                hint="use kebab-case: lower-case letters, digits and single dashes, a letter after each, "
                f"at most {MODULE_NAME_LIMIT} characters, and not the word modules",
            )
        return cls(text)


def is_release(text: str) -> bool:
    """Whether a tag is a release version, vX.Y.Z."""
    return bool(_RELEASE.fullmatch(text))


def precedence(release: str) -> "semver.Version":
    """What orders releases (semver.org, section 11)."""
    import semver

    return semver.Version.parse(release.removeprefix("v"))


@dataclass(frozen=True, slots=True)
class Version:
    """The tag of a module image: a release `vX.Y.Z`, or a dev tag that may move."""

    tag: str
    release: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Any legal tag but a channel name."""
        if text in set(Channel):
            raise ConfigError(
                f"{text!r} is the name of a release channel, not of a version",
                hint="give the version as vX.Y.Z, or another tag for a development build",
            )
        return cls(parse_tag(text), release=is_release(text))

    def __str__(self) -> str:
        return self.tag
