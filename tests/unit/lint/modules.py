# ruff: noqa: E501  a case a line
"""Sound modules of every family that is found in public, as files; rules have nothing to say to them."""

import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.lint.rule import Defect, levels, run
from orchestrator.lint.rules import RULES
from orchestrator.lint.sources import Sources
from orchestrator.verify.finding import Level

Files = Mapping[str, str | bytes | None]


class Tree:
    """A tree in a dict."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = files
        self.submodules: tuple[str, ...] = ()
        self.executables = {path for path in files if path.startswith(("hooks/", "enabled"))}

    def paths(self) -> Sequence[str]:
        return tuple(self._files)

    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        found = {path: self._files[path] for path in paths}
        return {p: d if isinstance(d, bytes) else d.encode() for p, d in found.items()}

    def is_symlink(self, path: str) -> bool:
        return False

    def executable(self, path: str) -> bool:
        return path in self.executables


def packed_chart(version: str = "1.72.10", name: str = "deckhouse_lib_helm") -> bytes:
    stream = io.BytesIO()
    text = f"apiVersion: v2\nname: {name}\nversion: {version}\n".encode()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        entry = tarfile.TarInfo(f"{name}/Chart.yaml")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return stream.getvalue()


ASKS = 'image: {{ include "helm_lib_module_image" (list . "%s") }}\n'
DIGEST = "sha256:" + "a" * 64
COMMON: dict[str, str | bytes] = {
    "module.yaml": "name: my-echo\nstage: Experimental\nnamespace: d8-my-echo\n",
    "Chart.yaml": "name: my-echo\nversion: 0.0.1\ndependencies:\n"
    "  - name: deckhouse_lib_helm\n    version: 1.72.10\n",
    "charts/deckhouse_lib_helm-1.72.10.tgz": packed_chart(),
    "values.yaml": "myEcho:\n  replicas: 1\n",
    "oss.yaml": "- id: echo\n",
    "openapi/config-values.yaml": "x-config-version: 2\ntype: object\nproperties:\n"
    "  replicas:\n    type: integer\n    minimum: 1\n    default: 1\n",
    "openapi/values.yaml": "type: object\nproperties:\n  registry:\n    type: object\n"
    "  internal:\n    type: object\n    default: {}\n",
    "openapi/conversions/v2.yaml": "version: 2\n",
    "templates/app.yaml": ASKS % "controller" + "replicas: {{ .Values.myEcho.replicas }}\n",
    "enabled": "#!/bin/sh\n",
    "hooks/start.sh": "#!/bin/sh\n[ $1 = --config ]\n",
    "docs/README.md": "# Echo\n",
}
GITERMINISM = (
    "giterminismConfigVersion: 1\nconfig:\n  goTemplateRendering:\n    allowEnvVariables:\n"
    "    - /CI_.+/\n    - MODULES_MODULE_TAG\n    - MODULE_EDITION\n"
    "    allowUncommittedFiles: [base_images.yml]\n"
)

GENERATED: dict[str, str | bytes] = {
    **COMMON,
    "images/controller/Dockerfile": "FROM scratch\n",
    "images/side-car/werf.inc.yaml": "image: {{ .ImageName }}\nfrom: alpine:3.20\n",
    "templates/side.yaml": ASKS % "sideCar",
    "CHANGELOG/v1.0.0.yml": "features: []\n",
    "werf-giterminism.yaml": "giterminismConfigVersion: 1\nconfig:\n  allowUncommitted: true\n",
}
# Fragments say `from: {{ index $.Images … }}`; CI downloads the map, which git ignores.
CSI: dict[str, str | bytes] = {
    **COMMON,
    "werf-giterminism.yaml": GITERMINISM,
    "werf.yaml": "project: my-echo\nconfigVersion: 1\n---\n"
    '{{ $_ := set . "MODULE_EDITION" (env "MODULE_EDITION" "ee") }}\n'
    '{{ tpl (.Files.Get ".werf/base-images.yaml") $ }}\n{{ tpl (.Files.Get ".werf/images.yaml") $ }}\n',
    "werf_cleanup.yaml": "configVersion: 1\nproject: my-echo\n",
    ".werf/base-images.yaml": '# Base Images\n{{- $baseImages := .Files.Get "base_images.yml" | fromYaml }}\n'
    '---\nimage: base/vex\nfrom: {{ index $.Images "builder/distroless" }}\nfinal: false\n',
    ".werf/images.yaml": '{{- range $path, $content := .Files.Glob "images/*/{Dockerfile,werf.inc.yaml}" }}\n'
    '---\n  {{- if not (regexMatch "/werf.inc.yaml$" $path) }}\nimage: images/{{ $ctx.ImageName }}\n'
    "dockerfile: Dockerfile\n  {{- else }}\n{{ tpl $content $ctx }}\n  {{- end }}\n{{- end }}\n",
    ".werf/bundle.yaml": '---\nimage: docs-generator\nfrom: {{ index $.Images "builder/golang" }}\n'
    "final: false\ngit:\n- add: /\n  to: /\n  includePaths:\n  - CHANGELOG\n  - hack/generate\n"
    '---\nimage: bundle\nfrom: {{ index $.Images "builder/scratch" }}\nimport:\n'
    "- image: images-digests\n  add: /images_digests.json\n  to: /images_digests.json\n"
    "- image: docs-generator\n  add: /docs\ngit:\n- add: /\n  to: /\n  includePaths:\n"
    "  - charts\n  - docs\n  - hooks\n  - templates\n  - module.yaml\n",
    ".werf/images-digests.yaml": "---\nimage: images-digests\nfinal: false\n"
    "dependencies:\n{{- range $ImageID := $ImagesIDList }}\n- image: {{ $ImageID }}\n{{- end }}\n",
    ".werf/release.yaml": "---\nimage: release-artifact\nfinal: false\ngit:\n- add: /\n  includePaths:\n"
    '  - module.yaml\nimport:\n- from: {{ index $.Images "yq" }}\n  add: /usr/bin/yq\nshell:\n  install:\n'
    '  - yq -n \'.version = "{{ env "MODULES_MODULE_TAG" }}"\' -o=json > version.json\n'
    "---\nimage: release-channel-version\nimport:\n- image: release-artifact\n  add: /\n"
    "  includePaths:\n  - version.json\n  - module.yaml\n",
    "images/controller/werf.inc.yaml": "{{- /* builds\nthe controller */ -}}\n---\n"
    "image: {{ .ModuleNamePrefix }}{{ .ImageName }}-golang-artifact\n"
    'from: {{ index $.Images (eq .SVACE_ENABLED "false" | ternary "builder/golang" "builder/alpine") }}\n'
    "final: false\nimport:\n- image: {{ .ModuleNamePrefix }}{{ .ImageName }}-src\n  add: /src\n"
    "---\nimage: {{ .ModuleNamePrefix }}{{ .ImageName }}-src\nfinal: false\n"
    "---\nimage: {{ .ModuleNamePrefix }}{{ .ImageName }}\n"
    'from: {{ index $.Images "builder/distroless" }}\nimport:\n'
    "- image: {{ .ModuleNamePrefix }}{{ .ImageName }}-golang-artifact\n  add: /bin\n  before: setup\n",
    "images/web-hook/Dockerfile": "FROM scratch\n",
    "templates/hook.yaml": ASKS % "webHook",
    ".github/workflows/build.yml": "steps:\n- run: curl -O $URL/base_images.yml\n"
    "- uses: deckhouse/modules-actions/build@v15\n",
}
# Every base image is declared, and fragments say `fromImage:`; one file holds most of it.
MONOLITH: dict[str, str | bytes] = {
    **COMMON,
    "werf-giterminism.yaml": GITERMINISM,
    "build/base-images/deckhouse_images.yml": "REGISTRY_PATH: registry.example.io/base\n"
    f'builder/alpine: "{DIGEST}"\nbuilder/scratch: "{DIGEST}"\nbuilder/golang-1.25: "{DIGEST}"\n',
    ".werf/defines/parse.tmpl": '{{- define "parse" }}\n'
    '{{- $images := .Files.Get "build/base-images/deckhouse_images.yml" | fromYaml }}\n'
    "{{- range $k, $v := $images }}\n---\nimage: {{ $k }}\nfrom: {{ $v }}\nfinal: false\n{{- end }}\n"
    "{{- end }}\n",
    "werf.yaml": 'project: my-echo\nconfigVersion: 1\n---\n{{- include "parse" . }}\n'
    '{{- range $path, $content := .Files.Glob "images/*/werf.inc.yaml" }}\n{{- tpl $content $ }}\n{{- end }}\n'
    "---\nimage: images-digests\nfromImage: builder/alpine\n"
    "---\nimage: bundle\nfromImage: builder/scratch\nimport:\n- image: prepare-bundle\n  add: /\n"
    "---\nimage: prepare-bundle\nfromImage: builder/alpine\nimport:\n- image: images-digests\n"
    "  add: /\n  includePaths:\n  - images_digests.json\ngit:\n- add: /\n  to: /\n  includePaths:\n"
    "  - templates\n  - module.yaml\n"
    "---\nimage: release-channel-version\nfromImage: builder/scratch\nimport:\n- image: prepare-bundle\n"
    "  includePaths:\n  - module.yaml\nshell:\n  install:\n"
    '  - echo \'{"version":"{{ env "MODULES_MODULE_TAG" "dev" }}"}\' > version.json\n',
    "images/controller/werf.inc.yaml": "---\nimage: {{ .ModuleName }}/{{ .ImageName }}-build\nfinal: false\n"
    'fromImage: {{ eq $.SVACE_ENABLED "false" | ternary "builder/golang-1.25" "builder/alpine" }}\n'
    "---\nimage: {{ .ModuleName }}/{{ .ImageName }}\nfromImage: builder/scratch\nimport:\n"
    "- image: {{ .ModuleName }}/{{ .ImageName }}-build\n  add: /bin\n",
    "images/sidecar/werf.inc.yaml": '{{- range $version := list "1.1" "1.2" }}\n---\n'
    'image: {{ $.ImageName }}-{{ $version | replace "." "-" }}\nfrom: alpine:3\n{{- end }}\n',
    "templates/versions.yaml": ASKS % "sidecar11",
}
# One plain werf.yaml; everything that is committed goes into the bundle.
FLAT: dict[str, str | bytes] = {
    **COMMON,
    "werf.yaml": "configVersion: 1\nproject: d8-my-echo\n---\nimage: controller\n"
    "dockerfile: images/controller/Dockerfile\n---\nimage: digests\nshell:\n  setup:\n"
    "  - make > images_digests.json\n  - make > version.json\n---\nimage: bundle\nimport:\n"
    "- image: digests\n  add: /\ngit:\n- add: /\n  to: /\n  excludePaths:\n  - .git\n"
    "---\nimage: release-channel-version\nimport:\n- image: digests\n  add: /\ngit:\n"
    "- add: /module.yaml\n  to: /module.yaml\n",
    "werf-giterminism.yaml": GITERMINISM,
    "images/controller/Dockerfile": "FROM scratch\n",
}
# A committed map with upper-case keys.
UPPER: dict[str, str | bytes] = {
    **FLAT,
    "base_images.yml": f'REGISTRY_PATH: "registry.example.io/base/"\nALPINE: "alpine:3.20@{DIGEST}"\n',
    ".werf/base.yaml": '{{- $_ := set . "Images" (.Files.Get "base_images.yml" | fromYaml) }}\n'
    '{{- $path := trimSuffix "/" $.Images.REGISTRY_PATH }}\n---\nimage: hooks\nfinal: false\n'
    "from: {{ $.Images.ALPINE }}\n",
}
FAMILIES: dict[str, dict[str, str | bytes]] = {
    "generated": GENERATED,
    "csi": CSI,
    "monolith": MONOLITH,
    "flat": FLAT,
    "upper": UPPER,
}


def changed(family: str, changes: Files) -> dict[str, str | bytes]:
    """The files of a family with some replaced, added, or (None) removed."""
    merged = {**FAMILIES[family], **changes}
    return {path: data for path, data in merged.items() if data is not None}


def sources(files: Mapping[str, str | bytes], **more: object) -> Sources:
    return Sources(tree=Tree(files), **more)  # type: ignore[arg-type]


def lint(of: Sources, *, all_rules: bool = False) -> list[Defect]:
    """The rules at their levels; `all_rules` has those that are off warn."""
    wanted = levels(RULES)
    if all_rules:
        wanted = {key: level or Level.WARNING for key, level in wanted.items()}
    return run(RULES, of, wanted)
