"""What the werf config of a module is made from, and the config with the giterminism it needs.

Fragments (images/*/werf.inc.yaml) are rendered by werf itself, in a context that has what fragments
of public modules expect; only what they use is put there, so that nothing else is asked of werf.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from orchestrator import base_images, giterminism, yamldoc
from orchestrator.errors import ConfigError, Finding
from orchestrator.fragments import Place, Usage, usage
from orchestrator.fsio import canonical_json, sha256
from orchestrator.hooks import BATCH, PYTHON, Hooks, detect
from orchestrator.module import ImageKind, Module
from orchestrator.schema import suggestion
from orchestrator.shape import Shape
from orchestrator.templating import blocks, go_string, render, template_text

CONFIG_TEMPLATE: Final = "werf.yaml.j2"
DEFINES: Final = "defines.tmpl"
COMPONENTS: Final = "build/components/versions.yml"
OSS: Final = "oss.yaml"

_BASE_NAME: Final = re.compile(r"(builder|tools|libs|base)/[A-Za-z0-9._-]+")
_VEX: Final = "vex mitigation"
# Name in the context of a fragment -> environment variable and default, as public modules have them.
_FROM_ENV: Final[Mapping[str, tuple[str, str]]] = {
    "CargoProxy": ("CARGO_PROXY", ""),
    "DEBUG_COMPONENT": ("DEBUG_COMPONENT", ""),
    "DistroPackagesProxy": ("DISTRO_PACKAGES_PROXY", ""),
    "GOPROXY": ("GOPROXY", "https://proxy.golang.org,direct"),
    "SOURCE_REPO": ("SOURCE_REPO", "https://github.com"),
    "SOURCE_REPO_GIT": ("SOURCE_REPO_GIT", "https://github.com"),
    "SVACE_ANALYZE_HOST": ("SVACE_ANALYZE_HOST", "example.host"),
    "SVACE_ANALYZE_SSH_USER": ("SVACE_ANALYZE_SSH_USER", "user"),
    "SVACE_ENABLED": ("SVACE_ENABLED", "false"),
}
_CONSTANT: Final[Mapping[str, str]] = {
    "ModuleNamePrefix": "",
    "OssYamlPath": "/oss.yaml",
}
# What every fragment has, whatever it uses.
_ALWAYS: Final = frozenset(
    {"Commit", "Env", "Files", "ImageName", "ImagePath", "Images", "ProjectName", "Root"}
)
_EDITION: Final = "ee"
_VERSIONS: Final = ("Versions", "VERSIONS")


class Tree(Protocol):
    """Committed files by path."""

    def paths(self) -> Iterable[str]: ...
    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that the config depends on; `base` is None where there is no map of base images."""

    module: Module
    shape: Shape
    args: Mapping[str, str]
    values: Mapping[str, str]
    fragments: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    dockerfiles: Mapping[str, str] = field(default_factory=dict)
    components: tuple[str, ...] = ()
    oss: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    base: Mapping[str, str] | None = None
    base_from: str = ""
    hooks: Hooks = field(default_factory=Hooks)

    def hashes(self) -> dict[str, str]:
        """Name -> hash of each kind of source, to say what changed."""
        shape = {name: getattr(self.shape, name) for name in Shape.__dataclass_fields__}
        imports = [[i.image, i.path, i.target] for i in self.hooks.imports]
        images = [(i.name, i.directory, i.kind.value) for i in self.module.images]
        parts: dict[str, Any] = {
            "name": self.module.name,
            "images": images,
            "build_args": dict(self.args),
            "build_values": dict(self.values),
            "layout": {**shape, "imports": imports},
            "fragments": {**self.fragments, **self.templates, **self.dockerfiles},
            "base_images": dict(self.base or {}),
            "components": list(self.components),
            "oss": self.oss,
            "templates": template_text(CONFIG_TEMPLATE) + template_text(DEFINES),
        }
        return {
            name: each if name == "name" else sha256(canonical_json(each))
            for name, each in parts.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WerfConfig:
    """The text for werf, and what werf-giterminism.yaml has to allow for it."""

    text: str
    giterminism: giterminism.Tree


def collect(
    tree: Tree,
    directory: Path,
    module: Module,
    shape: Shape,
    *,
    args: Mapping[str, str],
    values: Mapping[str, str],
) -> Sources:
    """Read the sources; a map of base images may also lie in `directory` without being committed."""
    paths = list(tree.paths())
    fragments = [i.file for i in module.images if i.kind is ImageKind.STAPEL]
    dockerfiles = [i.file for i in module.images if i.kind is ImageKind.DOCKERFILE]
    templates = [p for p in paths if p.startswith(".werf/") and p.endswith(".tmpl")]
    versions = [path for path in (COMPONENTS, OSS) if path in paths]
    data = tree.read_all([*fragments, *templates, *dockerfiles, *versions])
    texts = {path: raw.decode("utf-8", errors="replace") for path, raw in data.items()}
    base, base_from = _base_images(tree, paths, directory, shape)
    return Sources(
        module=module,
        shape=shape,
        args=args,
        values=values,
        fragments={path: texts[path] for path in fragments},
        templates={path: texts[path] for path in templates},
        dockerfiles={path: texts[path] for path in dockerfiles},
        components=_components(data.get(COMPONENTS)),
        oss=_oss(data.get(OSS)),
        base=base,
        base_from=base_from,
        hooks=detect(set(paths), shape, texts.__getitem__),
    )


def _base_images(
    tree: Tree, paths: list[str], directory: Path, shape: Shape
) -> tuple[dict[str, str] | None, str]:
    there = set(paths)

    def exists(path: str) -> bool:
        return path in there or (directory / path).is_file()

    names = shape.base_images or tuple(filter(exists, base_images.USUAL))[:1]
    lost = [name for name in names if not exists(name)]
    if lost:
        raise ConfigError(
            "the map of base images is not there",
            [Finding(name, 0, "named by base_images, but no such file") for name in lost],
            hint="commit it, or let the pipeline put it there before the build",
        )
    if not names:
        return None, ""
    committed = tree.read_all([name for name in names if name in there])
    maps = [
        base_images.parse(committed.get(name) or (directory / name).read_bytes(), name)
        for name in names
    ]
    return base_images.merge(maps), " and ".join(names)


def _components(data: bytes | None) -> tuple[str, ...]:
    """Top-level keys of the file with the versions of components."""
    value = yamldoc.load(data, COMPONENTS, ambiguous=False).value if data else None
    keys = [str(key) for key in value] if isinstance(value, dict) else []
    return tuple(sorted(key for key in keys if re.fullmatch(r"[A-Za-z]\w*", key)))


def _oss(data: bytes | None) -> dict[str, dict[str, dict[str, str]]]:
    """Condition (`k8s`, `ceph`) -> id -> value of the condition -> version, from oss.yaml."""
    value = yamldoc.load(data, OSS, ambiguous=False).value if data else None
    found: dict[str, dict[str, dict[str, str]]] = {}
    for component in value if isinstance(value, list) else ():
        versions = component.get("versions") if isinstance(component, dict) else None
        for each in versions if isinstance(versions, list) else ():
            conditions = each.get("condition") if isinstance(each, dict) else None
            for key, values in conditions.items() if isinstance(conditions, dict) else ():
                listed = values if isinstance(values, list) else [values]
                by_id = found.setdefault(str(key), {}).setdefault(str(component.get("id")), {})
                by_id |= {str(one): str(each.get("version")) for one in listed}
    return found


def make(sources: Sources) -> WerfConfig:
    """Equal sources give equal bytes; raises ConfigError with everything that is lacking."""
    findings: list[Finding] = []
    used, defines = _reach(sources, findings)
    base = sources.base or {}
    declared = {key: base[key] for key in sorted(used.named & base.keys())}
    indexed = base if used.computed_keys else {k: base[k] for k in used.indexed if k in base}
    _lacking_base(sources, used, findings)
    bases = _hook_bases(sources, findings)
    values, env = _values(sources, used)
    known = _ALWAYS | {name for name, _ in values}
    for name in sorted(used.needed - known):
        place = used.places[name]
        key = "versions" if name in _VERSIONS else "build_values"
        why = f"$.{name} is not known{suggestion(name, known)}; give it in {key}"
        findings.append(Finding(place.path, place.line, f"{why} of orchestrator.yaml"))
    if findings:
        raise ConfigError(
            "the werf config cannot be made",
            sorted(set(findings)),
            hint="mend the files, or see docs/layout.md for the options that say how a module is laid out",
        )
    text = render(
        CONFIG_TEMPLATE,
        project=sources.shape.project or sources.module.name,
        clean=sources.shape.image_spec == "clean",
        fragments=bool(sources.fragments),
        defines="\n".join(defines),
        base=sorted({**indexed, **declared}.items()),
        values=values,
        declared=sorted(declared.items()),
        images=[
            {
                "name": image.directory.rpartition("/")[2],
                "title": image.name,
                "path": image.directory,
                "fragment": image.file if image.kind is ImageKind.STAPEL else None,
                "ssh": "--mount=type=ssh" in sources.dockerfiles.get(image.file, ""),
            }
            for image in sorted(sources.module.images, key=lambda image: image.file)
        ],
        args=sorted(sources.args.items()),
        staged=sources.shape.staged,
        batch=bases.get(BATCH),
        python=bases.get(PYTHON),
    )
    used.env |= env
    allowed = giterminism.needed(used, extra_env=sources.shape.giterminism_env)
    return WerfConfig(text=text, giterminism=allowed)


def _reach(sources: Sources, findings: list[Finding]) -> tuple[Usage, list[str]]:
    """What fragments use, with the named templates that they include; and those that we add."""
    own = {
        name: (path, block)
        for path, text in sorted(sources.templates.items())
        for name, block in blocks(text).items()
    }
    ours = blocks(template_text(DEFINES))
    own.pop(_VEX, None) if not sources.shape.vex else ours.pop(_VEX, None)
    direct = usage(sources.fragments)
    texts = dict(sources.fragments)
    added: dict[str, str] = {}
    waiting, seen = sorted(direct.includes - direct.defines), set(direct.defines)
    while waiting:
        name = waiting.pop(0)
        if name in seen or name.startswith("$") or name in sources.templates:
            continue
        seen.add(name)
        if name in own:
            path, block = own[name]
        elif name in ours:
            path, block = f"{DEFINES}:{name}", ours[name]
            added[name] = block
        else:
            known = suggestion(name, [*own, *ours])
            why = f"no template is named so{known}; define it in a file .werf/*.tmpl"
            findings.append(_asked(sources.fragments, name, why))
            continue
        texts[f"{path}#{name}"] = block
        waiting += sorted(usage({path: block}).includes)
    return usage(texts), [added[name] for name in sorted(added)]


def _asked(texts: Mapping[str, str], name: str, why: str) -> Finding:
    for path, text in sorted(texts.items()):
        at = text.find(f'"{name}"')
        if at >= 0:
            return Finding(path, text.count("\n", 0, at) + 1, f"include {name!r}: {why}")
    return Finding("a template", 0, f"include {name!r}: {why}")


def _lacking_base(sources: Sources, used: Usage, findings: list[Finding]) -> None:
    """Keys that fragments take from the map and it has not; named images only where they look so."""
    base = sources.base
    made = {name for text in sources.fragments.values() for name in _made(text)}
    for key in sorted(used.indexed | {n for n in used.named if _BASE_NAME.fullmatch(n)} - made):
        if base is not None and key in base:
            continue
        place = used.places.get(key, Place("images", 0))
        if base is None:
            why = (
                f"base image {key}: there is no map of base images ({', '.join(base_images.USUAL)}); "
                "commit it, or let the pipeline download it before the build"
            )
        else:
            why = f"base image {key} is not in {sources.base_from}{suggestion(key, base)}"
        findings.append(Finding(place.path, place.line, why))


def _made(text: str) -> list[str]:
    return re.findall(r"^image:\s*[\"']?([^\s\"'{}#]+)", text, re.MULTILINE)


def _hook_bases(sources: Sources, findings: list[Finding]) -> dict[str, str]:
    """Image that we add -> reference of what it is built on."""
    base = sources.base or {}
    found = {}
    for image, candidates in sources.hooks.build:
        wanted = (sources.shape.hooks_base,) if sources.shape.hooks_base else candidates
        key = next((each for each in wanted if each in base), None)
        if key is not None:
            found[image] = base[key]
        elif sources.shape.hooks_base and "/" in sources.shape.hooks_base:
            found[image] = sources.shape.hooks_base
        else:
            findings.append(
                Finding(
                    "orchestrator.yaml",
                    0,
                    f"hooks_base: {image} needs a base image; name one, or a key of the map of "
                    f"base images (looked for {', '.join(candidates)})",
                )
            )
    return found


def _values(sources: Sources, used: Usage) -> tuple[list[tuple[str, str]], set[str]]:
    """Name -> Go expression for what fragments use, and the environment variables in those."""
    asked = used.fields
    name = go_string(sources.module.name)
    values = {key: go_string(value) for key, value in _CONSTANT.items() if key in asked}
    values |= {key: name for key in ("ModuleName", "MODULES_MODULE_NAME") if key in asked}
    if "ModuleDir" in asked:
        values["ModuleDir"] = go_string("/" if used.bare_directory else "")
    env: set[str] = set()
    for key, (variable, default) in _FROM_ENV.items():
        if key in asked and key not in sources.values:
            values[key] = f"(env {go_string(variable)} {go_string(default)})"
            env.add(variable)
    if "SVACE_IMAGE_SUFFIX" in asked:
        env.add("SVACE_ENABLED")
        values["SVACE_IMAGE_SUFFIX"] = (
            '(ternary "" "/svace" (eq (env "SVACE_ENABLED" "false") "false"))'
        )
    if "MODULE_EDITION" in asked:
        values["MODULE_EDITION"] = go_string(sources.shape.edition or _EDITION)
    versions = sources.shape.versions
    if versions:
        values |= {key: _go(versions) for key in _VERSIONS if key in asked}
    values |= {
        f"{key}Versions": _go(by_id)
        for key, by_id in sources.oss.items()
        if f"{key}Versions" in asked
    }
    for key in sources.components:
        field_name = key[0].upper() + key[1:]
        if field_name in asked:
            values[field_name] = (
                f"(index (.Files.Get {go_string(COMPONENTS)} | fromYaml) {go_string(key)})"
            )
    values |= {key: go_string(value) for key, value in sources.values.items()}
    return sorted(values.items()), env


def _go(value: Any) -> str:
    """A map of maps of texts as a Go expression."""
    if not isinstance(value, Mapping):
        return go_string(str(value))
    return f"(dict {' '.join(f'{go_string(k)} {_go(v)}' for k, v in sorted(value.items()))})"
