"""Two contents of a module compared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator import yamldoc
from orchestrator.inspection import crds, openapi
from orchestrator.inspection.content import Content
from orchestrator.inspection.crds import ResourceChange
from orchestrator.inspection.openapi import SettingChange

_SETTINGS: Final = ("openapi/config-values.yaml", "openapi/settings.yaml")
_VALUES: Final = "openapi/values.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`kind` is added, removed, changed or, of an image, rebuilt or unknown; sizes in bytes."""

    name: str
    kind: str
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field of module.yaml by its path; `before` and `after` are JSON values, None where absent."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """From `before` to `after`; hooks are among the files too."""

    before: str
    after: str
    settings: Sequence[SettingChange]
    values: Sequence[SettingChange]
    crds: Sequence[ResourceChange]
    images: Sequence[Change]
    hooks: Sequence[Change]
    module: Sequence[FieldChange]
    files: Sequence[Change]
    conversions: Sequence[str]
    sizes: tuple[int, int]

    @property
    def differs(self) -> bool:
        """Where a build would have to tell, there is no difference yet."""
        return bool(self.files) or any(each.kind != "unknown" for each in self.images)

    @property
    def breaks(self) -> bool:
        """Something that is marked as breaking."""
        return any(each.breaking for each in self.settings) or any(
            each.breaking for each in self.crds
        )


def diff(old: Content, new: Content) -> Diff:
    """What leads from one content to the other; all lists are sorted."""
    files = _files(old, new)
    settings = [
        change
        for path in _SETTINGS
        for change in openapi.compare(_yaml(old, path), _yaml(new, path))
    ]
    values = openapi.compare(_yaml(old, _VALUES), _yaml(new, _VALUES))
    return Diff(
        before=old.label,
        after=new.label,
        settings=settings,
        # Nobody outside the module sets these: nothing there breaks a cluster.
        values=[
            SettingChange(path=each.path, kind=each.kind, detail=each.detail) for each in values
        ],
        crds=crds.compare(old.texts, new.texts),
        images=_images(old, new),
        hooks=[each for each in files if each.name.startswith("hooks/") or each.name == "enabled"],
        module=_fields(_yaml(old, "module.yaml"), _yaml(new, "module.yaml")),
        files=files,
        conversions=[
            each.name
            for each in files
            if each.name.startswith("openapi/conversions/") and each.kind == "added"
        ],
        sizes=(old.size, new.size),
    )


def _yaml(content: Content, path: str) -> Any:
    """The value of a file, an empty map where there is none or where it cannot be read."""
    value = yamldoc.load(content.texts.get(path, b""), path, ambiguous=False).value
    return value if isinstance(value, dict) else {}


def _files(old: Content, new: Content) -> list[Change]:
    changes = []
    for path in sorted(old.files.keys() | new.files.keys()):
        before, after = old.files.get(path), new.files.get(path)
        if before != after:
            changes.append(
                Change(
                    name=path,
                    kind=_kind(before, after),
                    before=before.size if before else None,
                    after=after.size if after else None,
                )
            )
    return changes


def _kind(before: object, after: object) -> str:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def _images(old: Content, new: Content) -> list[Change]:
    changes = []
    for key in sorted(old.images.keys() | new.images.keys()):
        sizes = old.image_sizes.get(key), new.image_sizes.get(key)
        if key not in old.images or key not in new.images:
            kind = "added" if key in new.images else "removed"
        elif None in {old.images[key], new.images[key]}:
            kind = "unknown"
        elif old.images[key] != new.images[key]:
            kind = "rebuilt"
        else:
            continue
        changes.append(Change(name=key, kind=kind, before=sizes[0], after=sizes[1]))
    return changes


def _fields(old: Any, new: Any) -> list[FieldChange]:
    before, after = dict(_leaves(old, "")), dict(_leaves(new, ""))
    return [
        FieldChange(path=path, before=before.get(path), after=after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _leaves(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        own = f"{path}.{key}" if path else str(key)
        if isinstance(item, dict) and item:
            yield from _leaves(item, own)
        else:
            yield own, item
