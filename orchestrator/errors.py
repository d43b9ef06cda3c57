"""Every failure a user can meet, each with its exit code.

OrchestratorError            1   failed
├── UsageError              64   the command line is wrong
├── ConfigError             78   a file, a name or a setting is wrong; carries all findings
├── ToolMissing             69   a program we run is not there
├── BuildFailed              1   the builder said no; carries the image and its last lines
│   └── TransientBuildError 75   … for a reason that may pass
├── RegistryError            1   the registry said no; carries method, reference, status, code
│   └── TransientError      75   … for a reason that may pass
├── ConflictError           73   a published version holds another digest
├── Busy                    75   another run holds the lock
├── ClusterError             1   the cluster said no, or does not know what it was sent
│   └── ClusterUnreachable  75   … or did not answer
└── VerificationError        1   what was written does not read back
Interrupted (BaseException) 130/143  a signal asked us to stop

Anything else is our bug: exit code 70.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

BUG_EXIT_CODE: Final = 70


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong in a file or a setting; `line` counts from 1, 0 when there is none."""

    origin: str
    line: int
    message: str

    def __str__(self) -> str:
        where = f"{self.origin}:{self.line}" if self.line else self.origin
        return f"{where}: {self.message}"


class OrchestratorError(Exception):
    """Base of all expected failures: what failed and why, `hint` says what to do next.

    `stage` is filled in by the engine.
    """

    exit_code: ClassVar[int] = 1
    category: ClassVar[str] = "failed"

    def __init__(
        self, message: str, *, hint: str | None = None, details: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details
        self.stage: str | None = None


class UsageError(OrchestratorError):
    exit_code = 64
    category = "usage"


class ConfigError(OrchestratorError):
    """All findings of one check, shown at once."""

    exit_code = 78
    category = "configuration"

    def __init__(
        self, message: str, findings: Sequence[Finding] = (), *, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, details="\n".join(map(str, findings)) or None)
        self.findings = tuple(findings)


class ToolMissing(OrchestratorError):
    exit_code = 69
    category = "tool missing"


class BuildFailed(OrchestratorError):
    """The builder failed; `image` is the werf image name where it is known."""

    category = "build failed"

    def __init__(
        self,
        message: str,
        *,
        image: str | None = None,
        hint: str | None = None,
        details: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.image = image


class TransientBuildError(BuildFailed):
    exit_code = 75
    category = "build interrupted by its surroundings"


class RegistryError(OrchestratorError):
    """A registry answered with an error or not at all; `status` 0 means no HTTP answer."""

    category = "registry"

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str | None = None,
        hint: str | None = None,
        details: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.status = status
        self.code = code


class TransientError(RegistryError):
    """Safe to try again."""

    exit_code = 75
    category = "registry, transient"


class ConflictError(OrchestratorError):
    exit_code = 73
    category = "version already published"


class Busy(OrchestratorError):
    exit_code = 75
    category = "busy"


class ClusterError(OrchestratorError):
    category = "cluster"


class ClusterUnreachable(ClusterError):
    exit_code = 75
    category = "cluster, transient"


class VerificationError(OrchestratorError):
    category = "verification"


class Interrupted(BaseException):
    """SIGINT or SIGTERM; not an Exception, so that no clean-up code swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        return 128 + self.signum
