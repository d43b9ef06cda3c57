"""The rendered config: stable bytes, and no text of a user that werf or YAML would read as code."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.templating import blocks, documents, go_string, scalar, unescape


def test_blocks_of_a_template() -> None:
    text = """{{/* define "no" */}}{{- define "a" }}{{ if "}} end" }}x{{ end }}{{ end -}}
    {{ define `b` }}{{- /* {{ end }} */ -}}{{ range .x }}{{ else }}{{ end }}{{ end }} rest {{ end }}"""
    found = blocks(text)
    assert list(found) == ["a", "b"]
    assert found["a"] == '{{- define "a" }}{{ if "}} end" }}x{{ end }}{{ end -}}'
    assert found["b"].endswith("{{ else }}{{ end }}{{ end }}")


@given(st.text(alphabet='{}-/*"`define ab\n', max_size=60))
def test_blocks_never_raise(text: str) -> None:
    assert all(block in text for block in blocks(text).values())


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_scalars_read_back(text: str) -> None:
    written = scalar(text)
    assert "{{" not in unescape(written) or "{{" in text
    assert "\n" not in written
    assert yaml.safe_load(unescape(written)) == text


@pytest.mark.parametrize(
    "word", ["yes", "No", "null", "1.10", "", "a: b", "# x", "- x", "{{ .Env }}"]
)
def test_scalars_that_need_quotes(word: str) -> None:
    assert yaml.safe_load(unescape(scalar(word))) == word
    assert "{{ .Env" not in scalar(word)


def test_go_strings() -> None:
    assert go_string('a"b\\\n\x00é') == '"a\\"b\\\\\\n\\u0000é"'
    assert go_string("\u2028\x7f") == '"\\U00002028\\U0000007f"'


def test_documents_are_split_as_werf_does() -> None:
    assert documents("a\n---\nb\n--- # x\nc\n ---\nd\n---x\n---\n\n") == [
        "a",
        "b",
        "c\n ---\nd\n---x",
    ]
