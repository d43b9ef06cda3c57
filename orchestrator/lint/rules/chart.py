"""Rules about the lib-helm chart that templates stand on."""

import re
from collections.abc import Iterator
from typing import Final

from orchestrator.deps.chart import LIB_HELM, dependency, is_packed, unpack
from orchestrator.errors import ConfigError, Finding
from orchestrator.lint.sources import Sources

_CALL: Final = re.compile(r'\b(?:include|template)\s+"(helm_lib_\w+)"')
_EXACT: Final = re.compile(r"v?\d+\.\d+\.\d+\S*")


def _packed(sources: Sources) -> list[str]:
    return sorted(filter(is_packed, sources.paths))


def lib_helm_missing(sources: Sources) -> Iterator[Finding]:
    if _packed(sources) or any(path.startswith(f"charts/{LIB_HELM}/") for path in sources.paths):
        return
    defined = "\n".join(sources.matching(r"templates/.*\.tpl").values())
    for path, text in sources.matching(r"templates/.*").items():
        for found in _CALL.finditer(text):
            if f'define "{found[1]}"' not in defined:
                line = text.count("\n", 0, found.start()) + 1
                yield Finding(path, line, f"{found[1]} is of {LIB_HELM}, which is not in charts/")
                return


def lib_helm_version(sources: Sources) -> Iterator[Finding]:
    """The vendored chart is what its own Chart.yaml says, not what its file is called."""
    for path in _packed(sources):
        try:
            chart = unpack(sources.files[path], path)
        except ConfigError as error:
            yield Finding(path, 0, error.message)
            continue
        if path != f"charts/{LIB_HELM}-{chart.version}.tgz":
            yield Finding(path, 0, f"the chart in it is {chart.name} {chart.version}")
        for name in ("Chart.yaml", "Chart.lock"):
            asked = dependency(sources.files.get(name, b""), name)
            if asked and _EXACT.fullmatch(asked.version) and asked.version != chart.version:
                message = f"{LIB_HELM} {asked.version} is asked for, {chart.version} is in charts/"
                yield Finding(name, asked.line, message)


def lib_helm_twice(sources: Sources) -> Iterator[Finding]:
    for path in _packed(sources)[1:]:
        yield Finding(path, 0, f"{_packed(sources)[0]} is there too")
