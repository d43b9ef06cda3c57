"""Reading a dependency from where the module says it is: a file, or an artifact in a registry."""

from pathlib import Path
from typing import Final

from orchestrator.deps.config import Origin
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.model import Reference
from orchestrator.registry.client import Registry
from orchestrator.registry.layer import entries

# Of Helm's registry support: the layer with the packed chart.
_CHART_LAYER: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_LIMIT: Final = 16 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"


def read_file(directory: Path, path: str) -> bytes:
    file = directory / path
    if not file.is_file():
        raise ConfigError(f"deps: there is no file {path}", hint="see deps: in orchestrator.yaml")
    return file.read_bytes()


def read_chart(registry: Registry, directory: Path, origin: Origin) -> bytes:
    """The packed chart as `helm push` stores it, or a file."""
    if origin.file is not None:
        return read_file(directory, origin.file)
    reference = _reference(origin)
    return _layer(registry, reference, _CHART_LAYER)


def read_map(registry: Registry, directory: Path, origin: Origin, name: str) -> bytes:
    """A map of base images: a file, the one layer of an artifact, or a file `name` in an image."""
    if origin.file is not None:
        return read_file(directory, origin.file)
    reference = _reference(origin)
    data = _layer(registry, reference, None)
    if not data.startswith(_GZIP):
        return data
    read = entries([data], wanted=lambda path: path.removeprefix("./") == name)
    files = {entry.name.removeprefix("./"): entry.data for entry in read if entry.is_file}
    if name not in files:
        raise ConfigError(
            f"{reference} has no file {name}",
            hint="push the map itself as an artifact, or an image with the map at its top",
        )
    return files[name]


def _reference(origin: Origin) -> Reference:
    assert origin.reference is not None  # noqa: S101  the caller has seen to the other forms
    return origin.reference


def _layer(registry: Registry, reference: Reference, media_type: str | None) -> bytes:
    manifest = registry.manifest(reference)
    if manifest is None:
        raise ConfigError(
            f"deps: {reference} is not there", hint="see deps: in orchestrator.yaml, and its tag"
        )
    layers = [
        layer for layer in manifest.layers if media_type is None or layer.media_type == media_type
    ]
    if len(layers) != 1:
        what = "a chart" if media_type else "an artifact of one layer"
        raise VerificationError(f"{reference} is not {what}", hint="see deps: in orchestrator.yaml")
    return registry.read_blob(reference.repository, layers[0].digest, _LIMIT)
