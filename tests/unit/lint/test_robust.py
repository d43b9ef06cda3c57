"""Whatever the files hold, lint ends with findings and not with a fault."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.lint.modules import FAMILIES, lint, sources

JUNK = st.sampled_from(
    ["", "[]", "a: [", "7", "null", "- a", "---", "{{", "{{ end }}", "type: object\nproperties: 7",
     "image:", "dependencies: [7]", "update: {versions: [7]}", "&a [*a]", "\x00", "name: [x]"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_broken_files(data: st.DataObject) -> None:
    files = dict(FAMILIES[data.draw(st.sampled_from(sorted(FAMILIES)))])
    for path in data.draw(st.lists(st.sampled_from(sorted(files)), max_size=4)):
        whole = files[path]
        cut = data.draw(st.integers(0, len(whole)))
        junk = data.draw(JUNK)
        files[path] = whole[:cut] if isinstance(whole, bytes) else whole[:cut] + junk
    previous = ("v0.9.0", {"openapi/config-values.yaml": data.draw(JUNK).encode()})
    for defect in lint(sources(files, tags=("v1.0.0",), previous=previous), all_rules=True):
        assert defect.message
        assert defect.line >= 0
