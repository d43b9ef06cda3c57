"""Exit codes are a promise; here is the table."""

from orchestrator import errors

CODES = {
    "OrchestratorError": 1,
    "UsageError": 64,
    "ConfigError": 78,
    "ToolMissing": 69,
    "BuildFailed": 1,
    "TransientBuildError": 75,
    "RegistryError": 1,
    "TransientError": 75,
    "ConflictError": 73,
    "Busy": 75,
    "ClusterError": 1,
    "ClusterUnreachable": 75,
    "VerificationError": 1,
}


def test_exit_codes() -> None:
    found = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.OrchestratorError)
    }
    assert found == CODES
    assert errors.Interrupted(2).exit_code == 130
    assert errors.Interrupted(15).exit_code == 143
    assert not issubclass(errors.Interrupted, Exception)


def test_findings_say_where() -> None:
    assert str(errors.Finding("f", 3, "bad")) == "f:3: bad"
    assert str(errors.Finding("f", 0, "bad")) == "f: bad"
    assert errors.ConfigError("x", [errors.Finding("f", 1, "a")]).details == "f:1: a"
