"""What stands against moving a channel; the walk is that of the Deckhouse controller."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.guards import Guard, bridged, in_sequence, parts, refusals, walk
from orchestrator.channels.survey import Release, Survey
from orchestrator.model import Channel, Digest, Repository, is_release, precedence

A = Digest("sha256:" + "a" * 64)


def survey(held: dict[Channel, str], versions: Iterable[str], *, unreleased: str = "") -> Survey:
    modules = frozenset(versions)
    return Survey(
        repository=Repository("r.example", "modules/echo"),
        modules=modules,
        releases=modules - {unreleased},
        channels={channel: Release(digest=A, version=text) for channel, text in held.items()},
        digests=dict.fromkeys(held.values(), A),
    )


def found(
    version: str,
    channel: Channel,
    held: str | None,
    *versions: str,
    bridges: tuple[tuple[str, str], ...] = (),
    unreleased: str = "",
) -> list[Guard]:
    known = survey({channel: held} if held else {}, {version, *versions}, unreleased=unreleased)
    release = Release(digest=A, version=version, bridges=bridges)
    return [each.guard for each in refusals(version, [channel], known, release, in_order=False)]


S = Channel.STABLE


@pytest.mark.parametrize(
    ("version", "held", "versions", "guards"),
    [
        ("v1.1.0", None, (), []),
        ("v1.1.0", "v1.1.0", (), []),
        ("v1.1.1", "v1.1.0", (), []),
        ("v1.2.0", "v1.1.9", (), []),
        ("v1.0.9", "v1.1.0", (), [Guard.DOWNGRADE]),
        ("v1.3.0", "v1.1.0", (), [Guard.GAP]),
        ("v1.3.0", "v1.1.0", ("v1.2.7",), []),
        ("v1.4.0", "v1.1.0", ("v1.2.7",), [Guard.GAP]),
        ("v2.0.0", "v1.9.0", (), []),
        ("v2.1.0", "v1.9.0", (), []),
        ("v3.0.0", "v1.9.0", (), [Guard.GAP]),
        ("v1.2.0-rc.1", "v1.1.0", (), [Guard.PRE_RELEASE]),
        ("main", None, (), [Guard.PRE_RELEASE]),
    ],
)
def test_guards(
    version: str, held: str | None, versions: tuple[str, ...], guards: list[Guard]
) -> None:
    assert found(version, S, held, *versions) == guards


def test_lts_jumps() -> None:
    assert found("v1.9.0", Channel.LTS, "v1.1.0") == []
    assert found("v1.0.0", Channel.LTS, "v1.1.0") == [Guard.DOWNGRADE]


def test_a_bridge_covers_the_gap() -> None:
    assert found("v1.5.0", S, "v1.1.0", bridges=(("1.1", "1.5"),)) == []
    assert found("v1.5.0", S, "v1.0.9", bridges=(("1.1", "1.5"),)) == [Guard.GAP]
    assert found("v1.5.0", S, "v1.1.0", bridges=(("x", "1.5"),)) == [Guard.GAP]


def test_a_step_without_its_release() -> None:
    assert found("v1.3.0", S, "v1.1.0", "v1.2.0", unreleased="v1.2.0") == [Guard.GAP]


def test_what_is_not_there_cannot_be_allowed() -> None:
    known = survey({}, {"v1.0.0"}, unreleased="v1.0.0")
    for release in (None, Release(digest=A, version="v1.0.0")):
        (refusal,) = refusals("v1.0.0", [S], known, release, in_order=False, allowed=set(Guard))
        assert refusal.guard is Guard.NOT_PUBLISHED
        assert "--allow" not in str(refusal)
    (refusal,) = refusals("v1.0.1", [S], survey({}, {"v1.0.0"}), None, in_order=False)
    assert "did you mean v1.0.0?" in str(refusal)


def test_every_refusal_names_its_way_round() -> None:
    known = survey({S: "v1.5.0"}, {"v1.0.0", "v1.5.0"})
    release = Release(digest=A, version="v1.0.0")
    (refusal,) = refusals("v1.0.0", [S], known, release, in_order=False)
    assert "--allow-downgrade" in str(refusal) and str(refusal).startswith("stable: ")
    assert not refusals("v1.0.0", [S], known, release, in_order=False, allowed={Guard.DOWNGRADE})


def test_the_order_of_channels() -> None:
    known = survey({Channel.ALPHA: "v1.0.0", Channel.BETA: "v0.9.0"}, {"v1.0.0", "v0.9.0"})
    release = Release(digest=A, version="v1.0.0")

    def guards(*channels: Channel) -> list[tuple[Channel | None, Guard]]:
        told = refusals("v1.0.0", channels, known, release, in_order=True)
        return [(each.channel, each.guard) for each in told]

    assert guards(Channel.ALPHA) == guards(Channel.BETA) == guards(Channel.LTS) == []
    assert guards(Channel.EARLY_ACCESS) == [(Channel.EARLY_ACCESS, Guard.SKIP)]
    assert guards(Channel.BETA, Channel.EARLY_ACCESS) == []


VERSIONS = st.builds(
    lambda *parts: "v" + ".".join(map(str, parts)), *[st.integers(0, 4) for _ in range(3)]
)


@given(VERSIONS, VERSIONS, st.sets(VERSIONS, max_size=30))
def test_a_walk_goes_up_by_minors(held: str, version: str, tags: set[str]) -> None:
    steps = walk(held, version, tags | {"main", "v1.0.0-rc.1"})
    assert steps[-1] == version
    middle = steps[:-1]
    assert set(middle) <= tags and all(map(is_release, middle))
    orders = [parts(step)[:2] for step in middle]
    assert orders == sorted(set(orders))
    for step in middle:
        same = [tag for tag in tags if parts(tag)[:2] == parts(step)[:2]]
        assert max(same, key=precedence) == step


@given(VERSIONS, VERSIONS)
def test_one_minor_up_is_in_sequence(first: str, second: str) -> None:
    now, then = parts(first), parts(second)
    assert in_sequence(now, (now[0], now[1] + 1, 0)) and in_sequence(now, (*now[:2], now[2] + 1))
    assert in_sequence(now, then) == (then[0] - now[0] < 2 and then[1] - now[1] < 2)


@given(VERSIONS, st.text(max_size=8), st.text(max_size=8))
def test_bridges_never_raise(version: str, start: str, end: str) -> None:
    assert bridged(parts(version), [(start, end)]) in {True, False}
