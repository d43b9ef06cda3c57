"""Causes of a failed werf: what its words mean, what to raise, what to do.

Source of the texts: werf 2 (August 2026), what it is built on (buildah, containers/image,
go-containerregistry, docker), and recordings of werf 2.62.
"""

import re
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import (
    BuildFailed,
    ConfigError,
    OrchestratorError,
    ToolMissing,
    TransientBuildError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """`kind` is the error to raise for words in which one of `signs`, regular expressions, is found."""

    signs: tuple[str, ...]
    kind: type[OrchestratorError]
    cause: str
    fix: str

    def fits(self, words: str) -> bool:
        return any(re.search(sign, words, re.MULTILINE) for sign in self.signs)


DISK: Final = Cause(
    signs=(r"(?i:no space left on device)", r"(?i:disk quota exceeded)"),
    kind=BuildFailed,
    cause="the disk of the builder is full",
    fix="free some space (werf host cleanup, buildah prune), then run again",
)
# Go's exec, buildah's steps, and BuildKit's.
INSTRUCTION: Final = Cause(
    signs=(
        r"\bexit status \d+$",
        r"\bexit code:? \d+$",
        r"^building at STEP ",
        r"^container run failed",
    ),
    kind=BuildFailed,
    cause="a build instruction failed",
    fix="mend the image's build; images that were built stay built",
)
STAGE: Final = Cause(
    signs=(),
    kind=BuildFailed,
    cause="a stage could not be built",
    fix="see what the builder says; images that were built stay built",
)
BUG: Final = Cause(
    signs=(r"Please report a bug", r"^(?:Error: )?panic: ", r"^goroutine \d+ \["),
    kind=BuildFailed,
    cause="werf itself failed: this looks like a bug of werf",
    fix="report it to werf with the log, or take another release of werf",
)

# The first that fits is the cause: what wraps others comes last.
CAUSES: Final = (
    Cause(
        signs=("requires a git work tree",),
        kind=ConfigError,
        cause="the module is not in a git work tree",
        fix="git init, git add the module, git commit",
    ),
    Cause(
        signs=("unable to get git repo head commit",),
        kind=ConfigError,
        cause="the repository has no commit yet",
        fix="git add the module, then git commit",
    ),
    Cause(
        signs=(
            "must be committed",
            "must be staged",
            "the untracked file",
            "the following untracked files",
        ),
        kind=ConfigError,
        cause="files that the build reads are not committed",
        fix="commit them, or give --tag NAME for a development build",
    ),
    Cause(
        signs=("not found in the project git repository",),
        kind=ConfigError,
        cause="a file that the build reads is not committed, or werf may not read it uncommitted",
        fix="commit it; for the generated config commit a werf-giterminism.yaml with "
        "config.allowUncommitted: true",
    ),
    Cause(
        signs=("the giterminism config validation failed",),
        kind=ConfigError,
        cause="werf-giterminism.yaml is not valid",
        fix="mend the file and commit it",
    ),
    Cause(
        signs=("not allowed by giterminism", "not accepted by giterminism config"),
        kind=ConfigError,
        cause="the build uses something that werf-giterminism.yaml does not allow",
        fix="allow it in werf-giterminism.yaml and commit that file",
    ),
    Cause(
        signs=("must be set or default must be provided",),
        kind=ConfigError,
        cause="a template reads an environment variable that is not set",
        fix="set it, or give env a default in the template",
    ),
    Cause(
        signs=(
            "unable to render werf config",
            "unable to parse dockerfile",
            "parsing dockerfile data",
        ),
        kind=ConfigError,
        cause="werf cannot read a template or a Dockerfile",
        fix="mend what it names; the config is .orchestrator/werf.yaml, made of images/",
    ),
    Cause(
        signs=("unable to init http synchronization", "unable to get client id"),
        kind=TransientBuildError,
        cause="werf cannot reach its synchronization server",
        fix="set WERF_SYNCHRONIZATION=:local for builds on one host, or run the same command again",
    ),
    Cause(
        signs=("unable to lock project",),
        kind=TransientBuildError,
        cause="werf could not take a lock of its synchronization",
        fix="run the same command again",
    ),
    Cause(
        signs=("unable to write report to",),
        kind=BuildFailed,
        cause="the images are built, but werf could not write its report",
        fix="see to the disk space and the permissions of .orchestrator, then run again",
    ),
    BUG,
    Cause(
        signs=(
            r"exhausted \d+ retries on unexpected stages storage state",
            "unexpected stages storage state",
        ),
        kind=TransientBuildError,
        cause="stages vanished from the repository during the build, perhaps by a clean-up",
        fix="run the same command again when the clean-up has ended",
    ),
    Cause(
        signs=(
            "unable to init docker",
            "Cannot connect to the Docker daemon",
            "trying to connect to the Docker daemon socket",
            r"dial unix \S*docker\.sock",
            "unable to get platform args",
            "native rootless mode is not available",
            '"fuse-overlayfs" binary not found',
            "unexpected mode specified",
        ),
        kind=ToolMissing,
        cause="werf has no working build backend",
        fix="start Docker, or set WERF_BUILDAH_MODE=auto (native-chroot inside containers)",
    ),
    DISK,
    Cause(
        signs=(
            r"\bUNAUTHORIZED\b",
            r"\bunauthorized: ",
            r"\bDENIED\b",
            r"(?<!permission )\bdenied: ",
            "authentication required",
            "no basic auth credentials",
            "403 Forbidden",
            "401 Unauthorized",
        ),
        kind=BuildFailed,
        cause="the registry refused the credentials, or there are none",
        fix="log in (werf cr login, docker login), or see $DOCKER_CONFIG",
    ),
    Cause(
        signs=("x509: ", "server gave HTTP response to HTTPS client"),
        kind=BuildFailed,
        cause="the registry's certificate is not trusted, or it speaks plain HTTP",
        fix="add its authority to the system's certificates, or give --insecure-registry",
    ),
    Cause(
        signs=(
            "connection refused",
            "connection reset",
            "broken pipe",
            "i/o timeout",
            "TLS handshake timeout",
            r"Client\.Timeout exceeded",
            "context deadline exceeded",
            "no such host",
            "server misbehaving",
            "Temporary failure in name resolution",
            "TOOMANYREQUESTS",
            "toomanyrequests",
            r"(?i:status(?: code)?:? (?:429|5\d\d)\b)",
            "429 Too Many",
            "500 Internal Server",
            "502 Bad Gateway",
            "503 Service",
            "504 Gateway",
            r": (?:unexpected )?EOF$",
            "server sent GOAWAY",
        ),
        kind=TransientBuildError,
        cause="the registry cannot be reached, or does not answer well",
        fix="see that it is up and that its address is right, then run the same command again",
    ),
    Cause(
        signs=(
            "unable to pull image",
            "unable to fetch base image",
            "manifest unknown",
            "MANIFEST_UNKNOWN",
            "^creating build container: ",
            "failed to resolve source metadata",
        ),
        kind=BuildFailed,
        cause="a base image cannot be pulled",
        fix="see that the base image exists and that you may pull it",
    ),
    Cause(
        signs=(
            "unable to copy image into final repo",
            "unable to add custom image tags",
            "unable to store stage",
            "unable to push image",
        ),
        kind=BuildFailed,
        cause="the images are built, but the registry did not take them",
        fix="see what the registry says, then run the same command again: what is built is not "
        "built again",
    ),
    Cause(
        signs=("no image matches pattern", "stages required"),
        kind=ConfigError,
        cause="an image was asked for that is not in the config, or not built",
        fix="leave image names out: all images of the module are built",
    ),
    Cause(
        signs=("shallow git clone is not allowed", "git shallow clone is not allowed"),
        kind=ConfigError,
        cause="the git clone is shallow, and the build needs history",
        fix="fetch all of it: GIT_DEPTH=0 in GitLab, fetch-depth: 0 in GitHub, or git fetch --unshallow",
    ),
    Cause(
        signs=("requires dependency image",),
        kind=ConfigError,
        cause="an image depends on another that is not built for the same platform",
        fix="give both the same platforms",
    ),
    Cause(
        signs=(
            "^Error: unknown flag: ",
            "^Error: unknown shorthand flag: ",
            "^Error: flag needs an argument: ",
            r'^Error: invalid argument "[^"]*" for "',
        ),
        kind=ConfigError,
        cause="werf does not take one of its arguments",
        fix="see the arguments after --, and that werf is a recent release of version 2",
    ),
    Cause(
        signs=(
            "unable to load werf config",
            "unknown fields",
            "meta config section",
            "bad project name",
            "conflict between images names",
            "unknown doc type",
            "--repo=ADDRESS param required",
        ),
        kind=ConfigError,
        cause="werf does not accept the config",
        fix="see .orchestrator/werf.yaml, and images/*/werf.inc.yaml from which it includes",
    ),
)
