"""What a config of the module's own built, where it takes the place of what is assembled here."""

from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.artifacts import DIGESTS_FILE
from orchestrator.errors import ConfigError, Finding, VerificationError
from orchestrator.model import Digest
from orchestrator.module import bad_paths
from orchestrator.stages.context import Context
from orchestrator.verify import contents
from orchestrator.verify.finding import Verification
from orchestrator.verify.run import check_image
from orchestrator.verify.unpack import Unpacked, unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The names of the images that become module image and release image, None where there is none."""

    module: str | None = None
    release: str | None = None

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for name in (self.module, self.release) if name is not None)


def roles(ctx: Context, declared: Collection[str]) -> Roles:
    """Raises ConfigError for what cannot be published, before anything is built."""
    findings = []
    found: dict[str, str | None] = {}
    for setting in ("bundle_image", "release_image"):
        name = ctx.settings[setting]
        found[setting] = name if name in declared else None
        if name not in declared and ctx.settings.given(setting):
            origin = ctx.settings.origin(setting)
            findings.append(
                Finding(origin, 0, f"{setting}: {ctx.own_config} declares no image {name}")
            )
    made = Roles(module=found["bundle_image"], release=found["release_image"])
    if made.module is not None and made.module == made.release:
        findings.append(
            Finding(
                str(ctx.own_config), 0, f"{made.module} cannot be module and release image at once"
            )
        )
    if made.module is None:
        findings += bad_paths(ctx.tree)
    if findings:
        raise ConfigError(
            f"{ctx.own_config} cannot be published as it is",
            findings,
            hint="mend the config, or the settings bundle_image and release_image",
        )
    return made


def read_digests(ctx: Context, module: Digest | None, release: Digest | None) -> bytes | None:
    """images_digests.json of the adopted module image, None where none is adopted.

    Raises VerificationError where what was built breaks a rule, while no version names it yet.
    """
    found = Verification(reference=str(ctx.module_reference))
    bundle, metadata = (
        unpack(ctx.registry, ctx.repository.at(digest), found, 13) if digest else None
        for digest in (module, release)
    )
    if bundle is not None:
        contents.check_module(bundle, ctx.module.name, ctx.version, found)
        named = contents.read_digests(bundle, found)
        contents.check_templates(bundle, named, found)
        ctx.registry.map(
            lambda key: check_image(ctx.registry, ctx.repository, key, named[key], found),
            sorted(named),
        )
    if metadata is not None:
        contents.check_release(metadata, ctx.version, found)
    _check_definitions(ctx, bundle, metadata, found)
    if found.errors:
        raise VerificationError(
            f"what {ctx.own_config} builds is no version that DKP could use; none was published",
            hint=f"mend {ctx.own_config} and run the same command again",
            details="\n".join(map(str, found.errors)),
        )
    return bundle.files[DIGESTS_FILE] if bundle is not None else None


def _check_definitions(
    ctx: Context, bundle: Unpacked | None, metadata: Unpacked | None, found: Verification
) -> None:
    """Module image and release image carry the same module.yaml, whoever made them."""
    if bundle is not None and metadata is not None:
        contents.check_pair(bundle, metadata, found)
        return
    for image in filter(None, (bundle, metadata)):
        theirs = image.files.get("module.yaml")
        if theirs is not None and theirs != ctx.tree.read("module.yaml"):
            found.error(4, f"module.yaml in {image.reference} is not that of the commit", "mend it")
