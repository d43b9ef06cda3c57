"""Whether a generated werf config publishes the same as a hand-written one: both rendered, both read."""

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator import yamldoc
from orchestrator.artifacts import DIGESTS_FILE, image_key
from orchestrator.errors import ConfigError
from orchestrator.shape import Import
from orchestrator.templating import documents

_DIGEST_VARIABLE: Final = "MODULE_IMAGE_DIGEST_"
_WILD: Final = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}

Image = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Files of the tree, and of both images that are assembled without werf."""

    paths: Collection[str]
    module: frozenset[str]
    release: frozenset[str]
    imports: tuple[Import, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The image documents of a rendered config by name."""

    images: Mapping[str, Image]

    @classmethod
    def parse(cls, rendered: str, origin: str) -> "Config":
        """Raises ConfigError where it is not the YAML that werf renders."""
        images: dict[str, Image] = {}
        for text in documents(rendered):
            document = yamldoc.load(text, origin, ambiguous=False)
            if document.findings:
                raise ConfigError(f"{origin} cannot be read", document.findings)
            value = document.value
            if isinstance(value, dict) and "image" in value:
                names = value["image"] if isinstance(value["image"], list) else [value["image"]]
                images |= {str(name): value for name in names}
        return cls(images=images)

    def finals(self, *but: str) -> dict[str, str]:
        """Key in images_digests.json -> name, of the final images that are left."""
        return {
            image_key(name): name
            for name, image in self.images.items()
            if image.get("final") is not False and name not in but
        }

    def reached(self, names: Iterable[str]) -> list[str]:
        """These images with all images of the config that they are built from."""
        found: dict[str, None] = {}

        def visit(name: str) -> None:
            if name in self.images and name not in found:
                found[name] = None
                for need in _needs(self.images[name]):
                    visit(need)

        for name in names:
            visit(name)
        return list(found)


def differences(
    own: Config,
    generated: Config,
    *,
    contents: Contents,
    bundle: str,
    release: str,
) -> list[str]:
    """Everything that the generated config would publish otherwise, or that cannot be compared."""
    return [
        *_images(own, generated, bundle, release),
        *_keys(own, generated),
        *_bundle(own, bundle, contents),
        *_release(own, release, contents),
    ]


def _images(own: Config, generated: Config, bundle: str, release: str) -> Iterator[str]:
    ours, theirs = generated.finals(), own.finals(bundle, release)
    for key in sorted(ours.keys() ^ theirs.keys()):
        name, lacks = (theirs[key], "generated") if key in theirs else (ours[key], "hand-written")
        yield f"image {name}: the {lacks} config has no such final image"
    same = sorted(ours.keys() & theirs.keys())
    names = {theirs[key]: ours[key] for key in same}
    for name in own.reached(names):
        other = names.get(name, name)
        if other not in generated.images:
            yield f"image {name}: the generated config does not declare it, but {other} is built from it"
            continue
        before = _plain(own.images[name], lambda each: names.get(each, each))
        after = _plain(generated.images[other], lambda each: each)
        changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        if changed:
            yield f"image {name}: {', '.join(changed)} would change"


def _plain(image: Image, rename: Callable[[str], str]) -> dict[str, Any]:
    """An image without its own name, the names of others put into one form, and defaults left out."""
    made = {key: value for key, value in image.items() if key != "image" and value is not None}
    made["final"] = image.get("final") is not False
    if "context" in made:
        made["context"] = posixpath.normpath(str(made["context"]).strip("/") or ".")
    for key in ("from", "fromImage"):
        if key in made:
            made[key] = rename(str(made[key]))
    for key in ("import", "dependencies"):
        if key in made:
            made[key] = [
                {k: rename(str(v)) if k in {"image", "from"} else v for k, v in rule.items()}
                for rule in _rules(image, key)
            ]
    return made


def _keys(own: Config, generated: Config) -> Iterator[str]:
    """The keys that the hand-written config gives its images, as far as it writes any."""
    written = {
        str(each.get("targetEnv")).removeprefix(_DIGEST_VARIABLE): str(rule.get("image"))
        for image in own.images.values()
        for rule in _rules(image, "dependencies")
        for each in _rules(rule, "imports")
        if str(each.get("targetEnv")).startswith(_DIGEST_VARIABLE)
    }
    ours = generated.finals()
    for key in sorted(written.keys() ^ ours.keys()):
        side = "hand-written" if key in ours else "generated"
        yield f"{DIGESTS_FILE}: the {side} one has no key {key}"


def _bundle(own: Config, name: str, contents: Contents) -> Iterator[str]:
    files, unclear = _contents(own, name, contents)
    yield from unclear
    # Nobody reads a version in the module image; that of the release image counts.
    imported = {each.target for each in contents.imports}
    yield from _unlike(f"module image {name}", files - {"version.json"}, contents.module | imported)


def _release(own: Config, name: str, contents: Contents) -> Iterator[str]:
    files, unclear = _contents(own, name, contents)
    yield from unclear
    yield from _unlike(f"release image {name}", files, contents.release)


def _unlike(what: str, theirs: Collection[str], ours: Collection[str]) -> Iterator[str]:
    for lacks, more in (("generated", {*theirs} - {*ours}), ("hand-written", {*ours} - {*theirs})):
        if more:
            listed = sorted(more)
            rest = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
            yield f"{what}: the {lacks} one lacks {', '.join(listed[:5])}{rest}"


def _contents(own: Config, name: str, contents: Contents) -> tuple[set[str], list[str]]:
    """The files of an image that is put together from git and imports, and what cannot be told."""
    image = own.images.get(name)
    if image is None:
        return set(), [f"image {name}: the hand-written config does not build it"]
    files: set[str] = set()
    unclear = [f"image {name}: it runs {key}" for key in ("shell", "dockerfile") if image.get(key)]
    base = str(image.get("fromImage") or image.get("from") or "")
    if not re.search(r"\bscratch\b", f"{base} {own.images.get(base, {}).get('from', '')}"):
        unclear.append(f"image {name}: what its base {base} holds cannot be told")
    for rule in _rules(image, "git"):
        if "url" in rule:
            unclear.append(f"image {name}: it takes files from {rule['url']}")
        else:
            files |= _mapped(rule, contents.paths)
    for rule in _rules(image, "import"):
        source = str(rule.get("image") or rule.get("from"))
        taken = [str(path).strip("/") for path in rule.get("includePaths") or ()]
        alone = str(rule.get("add") or "").strip("/")
        known = _imported(rule, source, contents.imports)
        if known is not None:
            files.add(known)
        elif alone in {DIGESTS_FILE, "version.json"}:
            files.add(str(rule.get("to") or alone).strip("/"))
        elif taken and {*taken} <= {DIGESTS_FILE, "version.json"}:
            files |= {posixpath.join(str(rule.get("to") or "/").strip("/"), path) for path in taken}
        else:
            what = ", ".join(taken) or rule.get("add")
            unclear.append(f"image {name}: it takes {what} from {source}")
    return files, unclear


def _imported(rule: Mapping[str, Any], source: str, imports: Iterable[Import]) -> str | None:
    """The target of an import that we make as well: the same image, the same path, the same place."""
    add, to = (str(rule.get(key) or "/").strip("/") for key in ("add", "to"))
    places = {each.target: {each.target, each.into} for each in imports}
    for each in imports:
        if (each.image, each.path) == (source, add) and to in places[each.target]:
            return each.target
    return None


def _mapped(rule: Mapping[str, Any], paths: Collection[str]) -> set[str]:
    """Where a git mapping puts the files that it takes (werf: package path_matcher)."""
    add, to = (str(rule.get(key) or "/").strip("/") for key in ("add", "to"))
    include, exclude = (list(rule.get(key) or ()) for key in ("includePaths", "excludePaths"))
    found = set()
    for path in paths:
        if path == add:
            found.add(to)
        elif not add or path.startswith(f"{add}/"):
            below = path.removeprefix(f"{add}/") if add else path
            if (not include or matches(below, include)) and not matches(below, exclude):
                found.add(posixpath.join(to, below))
    return found


def matches(path: str, globs: Iterable[str]) -> bool:
    """A path fits a glob as it is, without the stars at its end, or below that."""
    for glob in globs:
        whole = glob.strip("/")
        trimmed = re.sub(r"(^|/)[*/]+$", "", whole)
        for each in (whole, trimmed, f"{trimmed}/**/*".lstrip("/")):
            parts = re.split(r"(\*\*/|\*\*|\*|\?)", each)
            if re.fullmatch("".join(_WILD.get(part) or re.escape(part) for part in parts), path):
                return True
    return False


def _needs(image: Image) -> list[str]:
    named = [image.get("fromImage"), image.get("from")]
    for key in ("import", "dependencies"):
        named += [rule.get("image") or rule.get("from") for rule in _rules(image, key)]
    return [str(name) for name in named if name]


def _rules(value: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    rules = value.get(key)
    return [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
