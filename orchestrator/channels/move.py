"""Moving channels to a version: verify its closure, then copy its release image, channel by channel.

The same engine as a build: a killed move goes on where it was, and what is there is not sent again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestrator.engine.journal import Journal, lock
from orchestrator.engine.run import Outcome, Pipeline, Selection
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.errors import Busy, RegistryError, VerificationError
from orchestrator.events import Tell
from orchestrator.fsio import canonical_json, sha256
from orchestrator.model import Channel, Digest, Repository
from orchestrator.registry.client import Registry
from orchestrator.stages.pipeline import now
from orchestrator.verify.run import verify

# Rules without which a cluster that follows the channel meets something that is not there, or not it.
CLOSURE: Final = frozenset({1, 2, 7, 8, 11, 12, 13, 14})


@dataclass(frozen=True, kw_only=True)
class Move:
    """`before` is what each channel held when this move was decided; `name` is R/M without a port."""

    registry: Registry
    repository: Repository
    name: str
    version: str
    before: Mapping[Channel, Digest]
    ignored_rules: Collection[int] = frozenset()
    moved: list[tuple[Channel, str, Digest]] = field(default_factory=list)


@dataclass(frozen=True)
class Checked(Result):
    """The release image of the version, whose closure is whole."""

    digest: str


@dataclass(frozen=True)
class Moved(Result):
    digest: str


def _check_inputs(ctx: Move, _results: Results) -> Inputs:
    values = {"repository": ctx.name, "version": ctx.version}
    return Inputs(values=values, unpinned="the registry may have lost something since")


def _check(ctx: Move, _results: Results, tell: Tell) -> Checked:
    found = verify(ctx.registry, ctx.repository, ctx.version)
    broken = [
        each for each in found.errors if each.rule in CLOSURE or each.rule not in ctx.ignored_rules
    ]
    reference = (ctx.repository / "release").tagged(ctx.version)
    there = ctx.registry.head(reference)
    if broken or there is None:
        ignorable = sorted({each.rule for each in broken} - CLOSURE)
        ways = " ".join(f"--ignore-rule {rule}" for rule in ignorable)
        raise VerificationError(
            f"{ctx.repository}:{ctx.version} is not fit for a channel",
            details="\n".join(f"{each}\n  -> {each.fix}" for each in broken) or f"no {reference}",
            hint="publish it again, or a new version; no channel was moved"
            + (f"; to accept what is listed: {ways}" if ways else ""),
        )
    tell("verified", reference=found.reference, images=found.images, blobs=found.blobs)
    return Checked(digest=there.digest)


def _still(ctx: Move, result: Checked) -> str | None:
    there = ctx.registry.head((ctx.repository / "release").tagged(ctx.version))
    return None if there and there.digest == result.digest else f"release:{ctx.version} moved"


CHECK: Final = Stage(
    name="check",
    revision=1,
    needs=(),
    result=Checked,
    inputs=_check_inputs,
    run=_check,
    probe=_still,
)


def _stage(channel: Channel) -> Stage[Move, Moved]:
    def inputs(ctx: Move, _results: Results) -> Inputs:
        return Inputs(values={"repository": ctx.name, "version": ctx.version})

    def run(ctx: Move, results: Results, tell: Tell) -> Moved:
        digest = Digest.parse(results[CHECK].digest)
        releases = ctx.repository / "release"
        reference = releases.tagged(channel)
        there = ctx.registry.head(reference)
        held = there.digest if there else None
        if held == digest:
            tell("kept", reference=str(reference), digest=digest)
            return Moved(digest=digest)
        if held != ctx.before.get(channel):
            raise Busy(
                f"{reference} was moved by somebody else to {held or 'nothing'} meanwhile",
                hint="see what it holds with: orchestrator channels; then run the same command again",
            )
        manifest = ctx.registry.manifest(releases.at(digest))
        if manifest is None:
            raise RegistryError(f"{releases}@{digest} is not there", status=404)
        ctx.registry.put_manifest(reference, manifest.data, manifest.media_type)
        ctx.moved.append((channel, held or "", digest))
        tell("pushed", reference=str(reference), digest=digest)
        return Moved(digest=digest)

    def probe(ctx: Move, result: Moved) -> str | None:
        there = ctx.registry.head((ctx.repository / "release").tagged(channel))
        if there is None or there.digest != result.digest:
            return f"{channel} is {there.digest if there else 'gone'}"
        return None

    return Stage(
        name=str(channel),
        revision=1,
        needs=(CHECK,),
        result=Moved,
        inputs=inputs,
        run=run,
        probe=probe,
    )


# The order in which a version reaches them: whoever stops in between has moved the bolder ones only.
CHANNELS: Final = {channel: _stage(channel) for channel in Channel}


def move(ctx: Move, channels: Sequence[Channel], work: Path, tell: Tell) -> Outcome:
    """Bring every channel to the version; raises what the failing step raised. `work` holds the journal."""
    header: dict[str, Any] = {"operation": "channels", "repository": ctx.name}
    name = sha256(canonical_json(header))[7:19]
    with lock(work / "lock", command=f"orchestrator promote of {ctx.repository}:{ctx.version}"):
        journal = Journal.read(
            work / "journal" / f"{ctx.repository.last}-channels-{name}.jsonl",
            header,
            repair=True,
            warn=lambda text: tell("warning", text=text),
        )
        stages: tuple[Stage[Move, Any], ...] = (
            CHECK,
            *(CHANNELS[channel] for channel in Channel if channel in channels),
        )
        return Pipeline(
            stages=stages,
            context=ctx,
            journal=journal,
            root=work.parent,
            selection=Selection(),
            clock=now,
        ).execute(tell)
