"""Leaving a hand-written werf config behind: proven first, then moved aside, never deleted."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator import git, templating
from orchestrator import module as module_
from orchestrator.adoption import OWN_CONFIGS
from orchestrator.builders.failures import classify
from orchestrator.builders.werf import GET_WERF, QUIET
from orchestrator.errors import ConfigError, Finding, OrchestratorError, ToolMissing
from orchestrator.process import Command, Runner
from orchestrator.redact import redactor
from orchestrator.scaffold import compare
from orchestrator.settings import Settings

ASIDE: Final = ".orchestrator-migrated"
TEMPLATES: Final = ".werf"
_NOT_COPIED: Final = (".git", ".orchestrator", ASIDE)
_IDENTITY: Final = ("-c", "user.name=orchestrator", "-c", "user.email=orchestrator@localhost")


def leftovers(directory: Path) -> list[str]:
    """What of the hand-written config is in the module's root, the config itself first."""
    own = [name for name in OWN_CONFIGS if (directory / name).is_file()]
    if not own and not _interrupted(directory):
        return []
    return [*own, *([TEMPLATES] if (directory / TEMPLATES).is_dir() else [])]


def _interrupted(directory: Path) -> bool:
    """Whether a migration was cut off after the config went: all that is left has its copy aside."""
    here, aside = directory / TEMPLATES, directory / ASIDE
    if not any((aside / name).is_file() for name in OWN_CONFIGS) or not here.is_dir():
        return False
    return all(_same(path, aside / TEMPLATES / path.relative_to(here)) for path in _files(here))


def _files(directory: Path) -> list[Path]:
    return [path for path in sorted(directory.rglob("*")) if not path.is_dir()]


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
        for name in leftovers(after):
            _remove(after / name)
        tree = _commit(runner, after)
        module = module_.load(tree, name=settings["name"])
        text = templating.werf_config(
            module, args=settings["build_args"], values=settings["build_values"]
        )
        (after / OWN_CONFIGS[0]).write_text(text, "utf-8")
        generated = _rendered(runner, after, settings, environ, "the generated config")
        return compare.differences(
            own,
            generated,
            paths=tree.paths(),
            bundle=settings["bundle_image"],
            release=settings["release_image"],
            version="v0.0.0",
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
    files = [
        path.relative_to(directory)
        for here in (directory / name for name in names)
        for path in (_files(here) if here.is_dir() else [here])
    ]
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
    for name in names:
        _remove(directory / name)
    return names


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
