# ruff: noqa: E501  texts as they stand
"""Reading werf configs as text."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lint.werf import Config, Name, items, read_config
from orchestrator.module import ImageKind, ImageSource

DOCKER = ImageSource(name="web", directory="images/web", kind=ImageKind.DOCKERFILE, key="web")


def config(texts: dict[str, str], **more: object) -> Config:
    given = {"images": [], "module_name": "echo", "own": True, "base_keys": None, **more}
    return read_config(texts, **given)  # type: ignore[arg-type]


def names(found: Config) -> list[str]:
    return [image.name.text for image in found.images]


def test_what_is_known_is_filled_in_and_the_rest_is_open() -> None:
    text = (
        "image: {{ .ModuleNamePrefix }}{{ $.ImageName }}-a\n---\nimage: '{{- .ModuleName -}}/b' # c\n"
        '---\nimage: {{ $.ImageName }}-{{ $version | replace "." "-" }}\n---\nimage: {{ $name }}{{ $b }}\n'
    )
    found = config({"werf.yaml": "werf.inc.yaml", "images/app/werf.inc.yaml": text})
    assert names(found) == ["app-a", "echo/b", "app-*", "*"]
    assert [image.line for image in found.images] == [1, 3, 5, 7]
    assert found.declares("anything")


def test_comments_and_inner_keys_declare_nothing() -> None:
    text = "{{- /* image: a\nimage: b */ -}}\n# image: c\nimage: d\ngit:\n- add: /\n  image: e\nshell:\n  image: f\n"
    found = config({"werf.yaml": text})
    assert names(found) == ["d"]
    assert found.images[0].line == 4


def test_uses_are_those_of_imports_dependencies_and_bases() -> None:
    text = (
        'image: a\nfromImage: {{ eq .X "" | ternary "b" "c" }}\nimport:\n- image: d\n  add: /\n'
        "- from: e:1\ndependencies:\n- image: {{ $i }}\nshell:\n  setup:\n  - image: no\n"
    )
    uses = [(use.line, use.how, use.name.text) for use in config({"werf.yaml": text}).uses]
    assert uses == [
        (2, "fromImage", "b"),
        (2, "fromImage", "c"),
        (4, "import", "d"),
        (8, "dependencies", "*"),
    ]


def test_a_loop_over_base_images_declares_them() -> None:
    text = "{{ range $k, $v := .Images }}\n---\nimage: {{ $k }}\nfinal: false\n{{ end }}\n"
    assert names(config({"werf.yaml": text}, base_keys=frozenset("ba"))) == ["a", "b"]
    assert names(config({"werf.yaml": text})) == ["*"]


def test_final_is_unknown_where_a_template_decides() -> None:
    text = (
        "image: a\nfinal: {{ .X }}\n---\nimage: b\nfinal: false\n---\nimage: c\n---\nartifact: d\n"
    )
    assert [i.final for i in config({"werf.yaml": text}).images] == [None, False, True, False]


def test_which_texts_count() -> None:
    texts = {"werf.yaml": "image: a\n", "images/x/werf.inc.yaml": "image: {{ .ImageName }}\n"}
    assert names(config(texts)) == ["a"]
    assert names(config(texts, own=False, images=[DOCKER])) == ["x", "web"]
    loop = {"werf.yaml": "image: images/{{ $ctx.ImageName }}\ndockerfile: Dockerfile\n"}
    assert names(config(loop, images=[DOCKER])) == ["images/web"]


def test_keys_that_a_name_may_have() -> None:
    assert Name("images/front-end").may_have_key("frontEnd")
    assert not Name("front").may_have_key("frontEnd")
    assert Name("a/csi-x-*").may_have_key("csiX120")
    assert not Name("a/csi-x-*").may_have_key("csiY")
    assert Name("*").may_have_key("any")


def test_items_of_a_list() -> None:
    text = "image: a\nimport:\n- image: b\n  includePaths:\n  - c\n- from: d\nshell: x\n"
    (image,) = config({"werf.yaml": text}).images
    found = [(line, len(lines)) for line, lines in items(image, "import")]
    assert found == [(3, 3), (6, 1)]
    assert list(items(image, "git")) == []


LINES = st.sampled_from(
    ["---", "image: a", "image: {{ .ImageName }}", "{{- /* ", " */ -}}", "import:", "- image: b", "  - c",
     'fromImage: {{ x | ternary "a" "b" }}', "# x", "final: false", "{{ if x }}", "'", "- ", "image: '"]
)  # fmt: skip


@given(st.lists(LINES | st.text(max_size=8), max_size=12))
def test_any_text_can_be_read(lines: list[str]) -> None:
    text = "\n".join(lines)
    found = config({"werf.yaml": text, "images/a/werf.inc.yaml": text}, images=[DOCKER])
    for image in found.images:
        assert 0 < image.line <= text.count("\n") + 1
        for section in ("import", "git"):
            list(items(image, section))
