"""The table of rules; an id is never used for another rule again."""

from typing import Final

from orchestrator.lint.rule import Rule
from orchestrator.lint.rules import chart, files, images, release, settings, werf
from orchestrator.verify.finding import Level

_WARNING: Final = Level.WARNING

FILES: Final = (
    Rule(
        id="M001", name="module-yaml", check=files.module_yaml,
        title="module.yaml is there, and DKP understands it",
        fix="mend module.yaml",
    ),
    Rule(
        id="M002", name="misspelled-module-yaml", check=files.misspelled_module_yaml,
        title="the definition is called module.yaml",
        fix="call it module.yaml everywhere",
    ),
    Rule(
        id="M003", name="module-name", check=files.module_name,
        title="the module has one name, fit for DKP",
        fix="use one kebab-case name in module.yaml, Chart.yaml and CI",
    ),
    Rule(
        id="M004", name="file-name", check=files.file_names,
        title="DKP can unpack every file",
        fix="rename the file, or put the file in place of the symlink",
    ),
    Rule(
        id="M005", name="broken-yaml", check=files.broken_files,
        title="Chart.yaml, values.yaml, oss.yaml and schemas can be read",
        fix="mend the file",
    ),
    Rule(
        id="M006", name="not-executable", check=files.not_executable,
        title="hooks and the enabled script can be executed",
        fix="git update-index --chmod=+x FILE, and commit",
    ),
    Rule(
        id="M007", name="development-file", level=_WARNING, check=files.development_files,
        title="the module image has no files of development",
        fix="keep it out of the module image: move it, or take it from includePaths",
    ),
    Rule(
        id="M008", name="submodule", check=files.submodules,
        title="no submodule lies where the module image is taken from",
        fix="commit the files themselves",
    ),
    Rule(
        id="M009", name="left-from-template", check=files.left_from_template,
        title="the names of the module template are gone",
        fix="write the name of your module",
    ),
    Rule(
        id="M010", name="wrong-values-key", level=_WARNING, check=files.wrong_values_key,
        title="templates read values of this module and global ones",
        fix="write .Values.yourModule, in camel case",
    ),
)  # fmt: skip
IMAGES: Final = (
    Rule(
        id="M101", name="key-collision", check=images.key_collision,
        title="each image has a key of its own in images_digests.json",
        fix="rename one of the images: the key is the last part of a name in camel case",
    ),
    Rule(
        id="M102", name="lost-key", check=images.lost_key,
        title="no key in images_digests.json holds _",
        fix="use single dashes in the image's name",
    ),
    Rule(
        id="M103", name="image-name", check=images.image_name,
        title="directories of images have plain names",
        fix="use letters, digits and . _ - only",
    ),
    Rule(
        id="M104", name="unknown-image", check=images.unknown_image,
        title="templates ask for images that are built",
        fix="ask for the image by its key, or build it",
    ),
    Rule(
        id="M105", name="unused-image", level=_WARNING, check=images.unused_image,
        title="every final image is used by a template",
        fix="remove the image, or say final: false",
    ),
    Rule(
        id="M106", name="two-build-files", level=_WARNING, check=images.two_build_files,
        title="an image has a Dockerfile or a werf.inc.yaml",
        fix="remove one of them",
    ),
    Rule(
        id="M107", name="unread-dockerfile", check=images.unread_dockerfile,
        title="the werf config builds every Dockerfile",
        fix="declare the image with dockerfile:, or remove your werf.yaml and let it be generated",
    ),
    Rule(
        id="M108", name="unread-fragment", level=_WARNING, check=images.unread_fragment,
        title="the werf config reads every werf.inc.yaml",
        fix="read images/*/werf.inc.yaml in werf.yaml, or remove the file",
    ),
    Rule(
        id="M109", name="duplicate-image", check=images.duplicate_image,
        title="no image is declared twice",
        fix="rename or remove one of them",
    ),
)  # fmt: skip
WERF: Final = (
    Rule(
        id="M201", name="undeclared-image", check=werf.undeclared_image,
        title="fromImage, import and dependencies name declared images",
        fix="declare the image, or name one of a registry by from: with its tag or digest",
    ),
    Rule(
        id="M202", name="missing-base-image", check=werf.missing_base_image,
        title="the map of base images has every base that is used",
        fix="use a key of the map, or run orchestrator deps update with a newer map",
    ),
    Rule(
        id="M203", name="missing-base-map", check=werf.missing_base_map,
        title="the map of base images is there, or something says where from",
        fix="name its source below deps: in orchestrator.yaml and run orchestrator deps update, "
        "or commit the map",
    ),
    Rule(
        id="M204", name="project-name", level=_WARNING, check=werf.project_name,
        title="the werf project has the name of the module",
        fix="write project: with the name in module.yaml",
    ),
    Rule(
        id="M205", name="env-not-allowed", check=werf.env_not_allowed,
        title="giterminism allows every variable that templates read",
        fix="add it to config.goTemplateRendering.allowEnvVariables in werf-giterminism.yaml",
    ),
    Rule(
        id="M206", name="env-without-default", level=None, check=werf.env_without_default,
        title="every variable that templates read has a default",
        fix='give it a default: env "NAME" "default"',
    ),
    Rule(
        id="M207", name="deprecated-artifact", level=_WARNING, check=werf.deprecated_artifact,
        title="no artifact: of the old kind",
        fix="write image: with final: false, and import it by image:",
    ),
    Rule(
        id="M208", name="import-from-and-image", check=werf.import_from_and_image,
        title="an import has one source",
        fix="keep one of from: and image:",
    ),
    Rule(
        id="M209", name="ambiguous-define", level=_WARNING, check=werf.ambiguous_define,
        title="an included template is defined once",
        fix="rename one of the defines",
    ),
    Rule(
        id="M210", name="cleanup-project", level=_WARNING, check=werf.cleanup_project,
        title="clean-up and build work on one werf project",
        fix="write the same project: in both files",
    ),
    Rule(
        id="M211", name="config-not-rendered", check=werf.generated_config,
        title="the werf config can be rendered from what is there",
        fix="mend the fragment, or see docs/layout.md for the option that says it otherwise",
    ),
    Rule(
        id="M212", name="giterminism-stale", check=werf.generated_giterminism,
        title="werf-giterminism.yaml allows what the fragments use",
        fix="run orchestrator render --giterminism and commit the file",
    ),
)  # fmt: skip
RELEASE: Final = (
    Rule(
        id="M301", name="version-without-v", check=release.version_without_v,
        title="a version keeps its leading v",
        fix="publish vX.Y.Z as it stands in git",
    ),
    Rule(
        id="M302", name="release-without-module-yaml", check=release.release_without_module_yaml,
        title="the release image has module.yaml",
        fix="add module.yaml to the image release-channel-version",
    ),
    Rule(
        id="M303", name="release-without-version", check=release.release_without_version,
        title="the release image has version.json",
        fix="write version.json into the image release-channel-version",
    ),
    Rule(
        id="M304", name="version-json-keys", check=release.version_json_keys,
        title="version.json has the one key version",
        fix='write {"version":"vX.Y.Z"} and nothing else',
    ),
    Rule(
        id="M305", name="digests-missing", check=release.digests_missing,
        title="the module image has images_digests.json",
        fix="import images_digests.json into the image bundle",
    ),
    Rule(
        id="M306", name="digests-committed", check=release.digests_committed,
        title="images_digests.json is not committed",
        fix="git rm --cached images_digests.json, and ignore it",
    ),
    Rule(
        id="M307", name="bundle-without-module-yaml", check=release.bundle_without_module_yaml,
        title="the module image has module.yaml",
        fix="add module.yaml to the image bundle",
    ),
    Rule(
        id="M308", name="changelog-missing", level=_WARNING, check=release.changelog_missing,
        title="a module that keeps a changelog has one for the tag at HEAD",
        fix="write the changelog before the tag",
    ),
    Rule(
        id="M309", name="changelog-not-a-map", level=_WARNING, check=release.changelog_not_a_map,
        title="the changelog is a map",
        fix="write it as a map, for example with features: and fixes:",
    ),
    Rule(
        id="M310", name="update-above-version", check=release.update_above_version,
        title="update.versions leads to this version at most",
        fix="mend update.versions in module.yaml",
    ),
    Rule(
        id="M311", name="unpinned-action", level=None, check=release.unpinned_action,
        title="workflows use modules-actions at a fixed commit",
        fix="name the commit behind @",
    ),
    Rule(
        id="M312", name="raw-owner", level=None, check=release.raw_owner,
        title="workflows write the owner of a registry in lower case",
        fix="lower it in a step before, and use that",
    ),
    Rule(
        id="M313", name="raw-ref", level=None, check=release.raw_ref,
        title="workflows make a legal tag of a branch",
        fix="make a tag of it with orchestrator slugify, and use that",
    ),
)  # fmt: skip
CHART: Final = (
    Rule(
        id="M401", name="lib-helm-missing", check=chart.lib_helm_missing,
        title="lib-helm is in charts/ where templates use it",
        fix="name its source below deps: in orchestrator.yaml and run orchestrator deps update",
    ),
    Rule(
        id="M402", name="lib-helm-version", level=_WARNING, check=chart.lib_helm_version,
        title="lib-helm in charts/ is the one that Chart.yaml names",
        fix="run orchestrator deps update, or mend the version",
    ),
    Rule(
        id="M403", name="lib-helm-twice", level=_WARNING, check=chart.lib_helm_twice,
        title="lib-helm is in charts/ once",
        fix="remove the older one",
    ),
)  # fmt: skip
SETTINGS: Final = (
    Rule(
        id="M501", name="default-does-not-fit", check=settings.default_does_not_fit,
        title="defaults fit their schemas",
        fix="mend the default or the schema",
    ),
    Rule(
        id="M502", name="new-required-setting", check=settings.new_required_setting,
        title="a new required setting has a default",
        fix="give it a default: clusters that run the module now do not have it",
    ),
    Rule(
        id="M503", name="own-registry", level=_WARNING, check=settings.own_registry,
        title="values have no property registry of their own",
        fix="rename the property",
    ),
    Rule(
        id="M504", name="conversions", check=settings.conversions,
        title="conversions are vN.yaml, without a gap, up to x-config-version",
        fix="name, add or number the conversions",
    ),
)  # fmt: skip

RULES: Final = (*FILES, *IMAGES, *WERF, *RELEASE, *CHART, *SETTINGS)
