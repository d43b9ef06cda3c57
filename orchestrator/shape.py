"""How a module is laid out where it differs from the usual: the part of the settings about its files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError, Finding
from orchestrator.option import Kind, Option

if TYPE_CHECKING:
    from orchestrator.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Files that the module image takes out of a built image: `path` there becomes `target`.

    A directory is taken with all that is in it; `into`, where given, is its target.
    """

    image: str
    path: str
    target: str
    into: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The defaults are those of a module without options."""

    project: str | None = None
    dockerfile_name: str = "dir"
    build_files: str = "fragment"
    staged: bool = False
    image_spec: str = "keep"
    base_images: tuple[str, ...] = ()
    hooks_base: str | None = None
    imports: tuple[Import, ...] | None = None
    edition: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_by_edition: Mapping[str, str] = field(default_factory=dict)
    release_include: tuple[str, ...] = ()
    changelog: str | None = None
    release_notes: bool = False
    version_json: bool = False
    vex: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    giterminism_env: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: "Settings") -> "Shape":
        """Raises ConfigError where an import is not written as IMAGE:PATH:TARGET."""
        values = {name: settings[name] for name in _PLAIN if settings.given(name)}
        edition = values.get("edition", "")
        values["edition"] = settings["editions"].get(edition, edition)
        if settings.given("imports"):
            values["imports"] = _imports(settings)
        return cls(**values)

    @property
    def excluded(self) -> tuple[str, ...]:
        """Globs that the edition leaves out as well."""
        return self.exclude + tuple(self.exclude_by_edition.get(self.edition, "").split())


EVERY_EDITION: Final = "all"


def in_edition(settings: "Settings", text: str) -> str:
    """A text with `{edition}` filled in; raises ConfigError where there is no edition for it."""
    if "{edition}" not in text:
        return text
    name = settings["edition"]
    if name not in settings["editions"]:
        known = ", ".join(settings["editions"]) or "none are named in editions"
        raise ConfigError(
            f"{text!r} has {{edition}} in it, and {name or 'no edition'} is not one of: {known}",
            hint="give --edition NAME, or --edition all for each of them",
        )
    return text.replace("{edition}", name)


_PLAIN: Final = tuple(name for name in Shape.__dataclass_fields__ if name != "imports")


def _imports(settings: "Settings") -> tuple[Import, ...]:
    found, findings = [], []
    for text in settings["imports"]:
        parts = text.split(":")
        if len(parts) != 3 or not all(parts):
            findings.append(
                Finding(
                    settings.origin("imports"), 0, f"imports: {text!r} is not IMAGE:PATH:TARGET"
                )
            )
            continue
        image, path, target = parts
        found.append(
            Import(
                image=image, path=path.strip("/"), target=target.strip("/"), into=target.strip("/")
            )
        )
    if findings:
        raise ConfigError("the settings are not right", findings)
    return tuple(found)


LAYOUT: Final = (
    Option(
        name="edition",
        flag="--edition",
        env="MODULE_EDITION",
        help="Edition that is built: a name in editions, a value that fragments see, or all of them.",
    ),
    Option(
        name="editions",
        kind=Kind.MAP,
        default={},
        help="Editions: name, which stands for {edition} in the source, -> value that fragments see.",
    ),
    Option(
        name="base_images",
        kind=Kind.LIST,
        default=(),
        help="Maps of base images, the first that has a key decides; else the usual places.",
    ),
    Option(
        name="dockerfile_name",
        default="dir",
        choices=("dir", "images/dir"),
        help="Name of the image that images/DIR/Dockerfile gives.",
    ),
    Option(
        name="build_files",
        default="fragment",
        choices=("fragment", "dockerfile", "both"),
        help="Which file counts where an image directory has a fragment and a Dockerfile.",
    ),
    Option(
        name="staged",
        env="STAGED_DOCKERFILE",
        kind=Kind.FLAG,
        default=False,
        help="Let werf build Dockerfiles instruction by instruction.",
    ),
    Option(
        name="image_spec",
        default="keep",
        choices=("keep", "clean"),
        help="clean drops history and labels, but for those that werf needs, from every image.",
    ),
    Option(
        name="project",
        help="Project of the werf config, part of every stage; the module's name if absent.",
    ),
    Option(
        name="imports",
        kind=Kind.LIST,
        default=(),
        help="Files of built images for the module image, IMAGE:PATH:TARGET; else the usual hooks.",
    ),
    Option(
        name="hooks_base",
        help="Base image, or its key in the map, for compiling hooks/batch and fetching lib/python.",
    ),
    Option(
        name="include",
        kind=Kind.LIST,
        default=(),
        help="Globs of more files for the module image.",
    ),
    Option(
        name="exclude",
        kind=Kind.LIST,
        default=(),
        help="Globs of files that the module image goes without.",
    ),
    Option(
        name="exclude_by_edition",
        kind=Kind.MAP,
        default={},
        help="Edition -> globs, with spaces between, that its module image goes without.",
    ),
    Option(
        name="release_include",
        kind=Kind.LIST,
        default=(),
        help="Globs of more files for the release image.",
    ),
    Option(
        name="changelog",
        help="File that becomes changelog.yaml, {version} in it; else the usual places.",
    ),
    Option(
        name="release_notes",
        kind=Kind.FLAG,
        default=False,
        help="Write docs/RELEASE_NOTES.md and .ru.md into the module image, from CHANGELOG/.",
    ),
    Option(
        name="version_json",
        kind=Kind.FLAG,
        default=False,
        help="Put version.json into the module image as well.",
    ),
    Option(
        name="vex",
        kind=Kind.FLAG,
        default=False,
        help="Let fragments build their VEX attestations, by the module's own template.",
    ),
    Option(
        name="versions",
        kind=Kind.MAP,
        default={},
        help="Versions that fragments see as .Versions.",
    ),
    Option(
        name="giterminism_env",
        kind=Kind.LIST,
        default=(),
        help="More variables that templates may read: those whose names are computed.",
    ),
)
