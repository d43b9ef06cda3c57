"""What a fragment uses, told from its text."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fragments import Place, usage

TEXT = """{{- /* env "COMMENTED" */ -}}
image: {{ .ModuleNamePrefix }}{{ .ImageName }}
from: {{ index $.Images (eq .SVACE_ENABLED "false" | ternary "builder/go" "builder/svace") }}
fromImage: base/x # why
git:
  - add: {{ .ModuleDir }}
    to: /src
  - url: https://example.com/a.git
    branch: main
import:
- image: tools/jq
  add: /jq
mount:
- fromPath: ~/cache
  to: /go
- from: build_dir
  to: /b
secrets:
- id: GOPROXY
  value: {{ .GOPROXY }}
- id: {{ .X }}
  value: v
- env: TOKEN
- id: key
  src: ~/.key
contextAddFiles:
- go.mod
fromLatest: true
shell:
  install:
    - echo {{ env "CI_X" "" }} {{ include "a template" . }} {{ $.Needed.Deep }} {{ if $.Optional }}{{ end }}
"""


def test_everything() -> None:
    found = usage({"f": TEXT})
    assert found.env == {"CI_X"}
    assert found.includes == {"a template"}
    assert found.indexed == {"builder/go", "builder/svace"}
    assert {"base/x", "tools/jq"} <= found.named
    assert found.places["builder/go"] == Place("f", 3)
    assert found.needed == {"Images", "Needed"}
    assert {"SVACE_ENABLED", "ModuleDir", "GOPROXY", "Deep"} <= found.fields
    assert found.secret_values == {"GOPROXY"}
    assert found.secret_env == {"TOKEN"} and found.secret_files == {"~/.key"}
    assert found.mount_paths == {"~/cache"} and found.context_files == {"go.mod"}
    assert found.build_dir and found.from_latest and found.git_branch and found.bare_directory
    assert not found.computed_keys


def test_a_pinned_remote_needs_no_leave() -> None:
    pinned = usage({"f": "git:\n- url: https://example.com/a.git\n  tag: v1\n"})
    assert not pinned.git_branch
    loose = usage({"f": "git:\n- url: https://example.com/a.git\n  to: /a\n"})
    assert loose.git_branch


def test_keys_that_are_computed() -> None:
    assert usage({"f": '{{ index $.Images (printf "builder/%s" .X) }}'}).computed_keys


def test_a_named_template_has_a_context_of_its_own() -> None:
    found = usage(
        {
            "f": '{{ define "x" }}{{ $.Own }}{{ end }}{{ $.Mine }}{{ $_ := set $ "Set" 1 }}{{ $.Set }}'
        }
    )
    assert found.needed == {"Mine"}
    assert found.defines == {"x"}


@given(st.text(alphabet='{}$."`-: \nabIimages/*()', max_size=200))
def test_any_text_is_read(text: str) -> None:
    found = usage({"f": text})
    assert set(found.places) == found.indexed | found.named | found.needed
