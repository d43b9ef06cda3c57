"""Leaving a hand-written werf config behind: proven first, then moved aside, never deleted."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from orchestrator import artifacts, base_images, bundle, git, giterminism, werf_config
from orchestrator import module as module_
from orchestrator.adoption import OWN_CONFIGS
from orchestrator.builders.failures import classify
from orchestrator.builders.werf import GET_WERF, QUIET
from orchestrator.errors import ConfigError, Finding, OrchestratorError, ToolMissing
from orchestrator.process import Command, Runner
from orchestrator.redact import redactor
from orchestrator.scaffold import compare
from orchestrator.settings import Settings
from orchestrator.shape import Import, Shape

ASIDE: Final = ".orchestrator-migrated"
TEMPLATES: Final = ".werf"
_NOT_COPIED: Final = (".git", ".orchestrator", ASIDE)
_IDENTITY: Final = ("-c", "user.name=orchestrator", "-c", "user.email=orchestrator@localhost")


def leftovers(directory: Path) -> list[str]:
    """What of the hand-written config is in the module's root, the config itself first."""
    own = [name for name in OWN_CONFIGS if (directory / name).is_file()]
    if not own and not _interrupted(directory):
        return []
    templates = [path.relative_to(directory).as_posix() for path in _parts(directory)]
    return [*own, *templates]


def _parts(directory: Path) -> list[Path]:
    """Files below .werf that only the hand-written config reads: fragments include named templates."""
    stay = {directory / name for name in base_images.USUAL}
    return [
        path
        for path in _files(directory / TEMPLATES)
        if path.suffix != ".tmpl" and path not in stay
    ]


def _interrupted(directory: Path) -> bool:
    """Whether a migration was cut off after the config went: all that is left has its copy aside."""
    aside, parts = directory / ASIDE, _parts(directory)
    if not any((aside / name).is_file() for name in OWN_CONFIGS) or not parts:
        return False
    return all(_same(path, aside / path.relative_to(directory)) for path in parts)


def _files(directory: Path) -> list[Path]:
    return [path for path in sorted(directory.rglob("*")) if path.is_symlink() or not path.is_dir()]


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def prove(
    runner: Runner, directory: Path, settings: Settings, environ: Mapping[str, str]
) -> list[str]:
    """What the generated config would publish otherwise than the hand-written one; nothing if equal.

    Both are rendered by werf, in copies of the directory: the generated one without the files that
    would go, since its fragments may need them.
    """
    if runner.which(settings["werf"]) is None:
        raise ToolMissing(
            f"{settings['werf']} is not on PATH, so it cannot be proven that the generated config "
            "publishes the same; nothing was moved",
            hint=GET_WERF,
        )
    with tempfile.TemporaryDirectory(prefix="orchestrator-migrate-") as scratch:
        before, after = Path(scratch) / "before", Path(scratch) / "after"
        skip = shutil.ignore_patterns(*_NOT_COPIED)
        shutil.copytree(directory, before, symlinks=True, ignore=skip)
        own = _rendered(runner, before, settings, environ, "the hand-written config")
        shutil.copytree(before, after, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        _drop(after, leftovers(after))
        tree = _commit(runner, after)
        shape = Shape.of(settings)
        module = module_.load(tree, name=settings["name"], shape=shape)
        sources = werf_config.collect(
            tree,
            directory,
            module,
            shape,
            args=settings["build_args"],
            values=settings["build_values"],
        )
        made = werf_config.make(sources)
        (after / OWN_CONFIGS[0]).write_text(made.text, "utf-8")
        (after / giterminism.FILE).write_text(giterminism.text(made.giterminism), "utf-8")
        generated = _rendered(runner, after, settings, environ, "the generated config")
        return compare.differences(
            own,
            generated,
            contents=_contents(tree, shape, sources.hooks.imports),
            bundle=settings["bundle_image"],
            release=settings["release_image"],
        )


def _contents(tree: git.Tree, shape: Shape, imports: tuple[Import, ...]) -> compare.Contents:
    """What the images that are assembled here hold."""
    paths = tree.paths()
    notes = tree.read_all(sorted(bundle.note_files(paths))) if shape.release_notes else {}
    made = {artifacts.DIGESTS_FILE, *bundle.release_notes(notes)}
    return compare.Contents(
        paths=paths,
        module=frozenset({*bundle.module_files(paths, shape, imports), *made}),
        release=frozenset({*bundle.release_files(paths, shape, "v0.0.0"), "version.json"}),
        imports=imports,
    )


def _commit(runner: Runner, directory: Path) -> git.Tree:
    """werf reads commits only: the copy gets one of its own, and no history."""
    for arguments in (
        ("init", "-q"),
        ("add", "-A"),
        (*_IDENTITY, "commit", "-q", "--allow-empty", "--no-verify", "--no-gpg-sign", "-m", "copy"),
    ):
        outcome = runner.run(Command(argv=("git", *arguments), cwd=directory))
        if outcome.exit_code != 0:
            error = outcome.stderr.decode(errors="replace").strip()
            raise OrchestratorError(f"git {arguments[0]} failed in a copy of the module: {error}")
    return git.Tree(runner, directory, git.snapshot(runner, directory, with_dirty=False).tree)


def _rendered(
    runner: Runner,
    directory: Path,
    settings: Settings,
    environ: Mapping[str, str],
    what: str,
) -> compare.Config:
    _commit(runner, directory)
    variables = {
        name: environ.get(name) or value
        for name, value in (
            ("MODULES_MODULE_NAME", settings["name"] or "module"),
            ("MODULES_MODULE_SOURCE", "registry.example.io/modules"),
            ("MODULES_MODULE_TAG", "v0.0.0"),
        )
    }
    outcome = runner.run(
        Command(
            argv=(settings["werf"], "config", "render"),
            cwd=directory,
            env={**variables, **QUIET},
        )
    )
    if outcome.exit_code != 0:
        redact = redactor(environ)
        error = classify(
            redact(outcome.stderr.decode(errors="replace")),
            [],
            log_path=None,
            exit_code=outcome.exit_code,
        )
        raise ConfigError(
            f"{what} cannot be rendered, so nothing is proven and nothing was moved: {error.message}",
            [Finding(what, 0, line) for line in (error.details or "").splitlines()],
            hint=error.hint,
        )
    return compare.Config.parse(outcome.text, what)


def move_aside(directory: Path) -> list[str]:
    """Copies everything aside, then removes it, the config first: a cut-off move is finished by the next.

    Raises ConfigError where something else lies there already.
    """
    names = leftovers(directory)
    files = [Path(name) for name in names]
    aside = directory / ASIDE
    unlike = [
        Finding(f"{ASIDE}/{path}", 0, "is there and differs")
        for path in files
        if os.path.lexists(aside / path) and not _same(directory / path, aside / path)
    ]
    if unlike:
        raise ConfigError(
            "what is to be moved would overwrite files, so nothing was moved",
            unlike,
            hint=f"move {ASIDE} out of the way",
        )
    for path in files:
        (aside / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(directory / path, aside / path, follow_symlinks=False)
    _drop(directory, names)
    return names


def _drop(directory: Path, names: list[str]) -> None:
    """Remove the files, and the directories below .werf that are empty then."""
    for name in names:
        _remove(directory / name)
    for folder in sorted((directory / TEMPLATES).rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    with suppress(OSError):
        (directory / TEMPLATES).rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
