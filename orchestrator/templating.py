"""The werf config of a module as text: Jinja2 in, Go template syntax and plain YAML out."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.fsio import canonical_json, sha256
from orchestrator.model import escape_control
from orchestrator.module import ImageKind, Module

WERF_TEMPLATE: Final = "werf.yaml.j2"
GITERMINISM_FILE: Final = "werf-giterminism.yaml"
GITERMINISM: Final = "giterminismConfigVersion: 1\nconfig:\n  allowUncommitted: true\n"

ESCAPED: Final = '{{ "{{" }}'
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
# Readers of YAML 1.1 take these for something else than text.
_YAML_WORDS: Final = frozenset("y n yes no on off true false null none".split())
_SEPARATOR: Final = re.compile(r"^---[ \t]*(?:#.*)?$", re.MULTILINE)
# What fragments of public modules expect to find; `build_values` overrides and adds.
_FRAGMENT_VALUES: Final[Mapping[str, str]] = {
    "DEBUG_COMPONENT": "",
    "GOPROXY": "https://proxy.golang.org,direct",
    "MODULE_EDITION": "",
    "ModuleDir": "",
    "ModuleNamePrefix": "",
    "SOURCE_REPO": "https://github.com",
    "SVACE_ENABLED": "false",
}


def template_path(name: str) -> Path:
    """Where a template lies: inside the installed package, or beside it in the source tree."""
    package = Path(__file__).parent
    inside = package / "templates" / name
    return inside if inside.exists() else package.parent / "templates" / name


def scalar(text: str) -> str:
    """A YAML scalar that reads back as this text after werf has run it through its templates."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return _quote(text).replace("{{", ESCAPED)


def unescape(text: str) -> str:
    """What werf's templates make of plain YAML that `scalar()` escaped."""
    return text.replace(ESCAPED, "{{")


def go_string(text: str) -> str:
    """A Go string literal inside a template action."""
    return _quote(text)


def _quote(text: str) -> str:
    return escape_control(json.dumps(text, ensure_ascii=False))


def werf_inputs(
    module: Module, *, args: Mapping[str, str], values: Mapping[str, str]
) -> dict[str, str]:
    """All that the werf config depends on, name -> value or hash."""
    images = [(i.name, i.directory, i.kind.value) for i in module.images]
    return {
        f"template:{WERF_TEMPLATE}": sha256(template_path(WERF_TEMPLATE).read_bytes()),
        "name": module.name,
        "images": sha256(canonical_json(images)),
        "build_args": sha256(canonical_json(dict(args))),
        "build_values": sha256(canonical_json(dict(values))),
    }


def werf_config(module: Module, *, args: Mapping[str, str], values: Mapping[str, str]) -> str:
    """werf.yaml: a document an image; equal inputs give equal bytes."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  the output is YAML, escaped by our own filters
    )
    environment.filters.update(scalar=scalar, go=go_string)
    template = environment.from_string(template_path(WERF_TEMPLATE).read_text("utf-8"))
    fragments = [image for image in module.images if image.kind is ImageKind.STAPEL]
    merged = {**_FRAGMENT_VALUES, "ModuleName": module.name, **values}
    return template.render(
        project=module.name,
        fragments=bool(fragments),
        values=sorted(merged.items()),
        args=sorted(args.items()),
        images=[
            {
                "name": image.name,
                "path": image.directory,
                "fragment": f"{image.directory}/werf.inc.yaml"
                if image.kind is ImageKind.STAPEL
                else None,
            }
            for image in sorted(module.images, key=lambda image: image.directory)
        ],
    )


def documents(config: str) -> list[str]:
    """The documents of a werf config, split as werf does: textually, on `---` lines."""
    return [part.strip("\n") for part in _SEPARATOR.split(config) if part.strip()]
