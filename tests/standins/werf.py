"""A stand-in for werf 2.62 that behaves as recorded: texts, streams, exit codes, report, signals.

It reads git as werf does, and pushes real images of one layer to a real registry. It knows Dockerfile
images, whose instructions it does not run, and stapel images with git, import, dependencies and shell,
whose commands it runs on this machine with `> /` led below a scratch directory. Of Go templates it knows
`env` and `tpl (.Files.Get …)`; base images from outside are empty. What it does not know is an error.
"""

import hashlib
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import yaml

VERSION = "v2.62.2"
VALUES = {
    "--add-custom-tag", "--build-report-path", "--config", "--env", "--log-color-mode",
    "--log-terminal-width", "--parallel-tasks-limit", "--platform", "--repo", "--secondary-repo",
    "--synchronization",
}  # fmt: skip
SWITCHES = {
    "--dev", "--disable-auto-host-cleanup", "--insecure-registry", "--log-debug", "--log-pretty",
    "--log-quiet", "--log-verbose", "--parallel", "--save-build-report", "--skip-tls-verify-registry",
}  # fmt: skip
RENDERING = {"--config", "--config-templates-dir", "--env", "--giterminism-config"}
RENDERING_SWITCHES = {"--dev", "--final-images-only", "--log-quiet", "--log-verbose"}
META = {"project", "configVersion", "build", "cleanup", "deploy", "gitWorktree"}
DOCKERFILE = {
    "image",
    "dockerfile",
    "context",
    "args",
    "target",
    "final",
    "platform",
    "staged",
    "ssh",
}
STAPEL = {
    "image", "from", "fromImage", "final", "git", "shell", "import", "imageSpec", "platform",
    "dependencies", "mount", "secrets", "fromCacheVersion",
}  # fmt: skip
# Tools that no test has in its images; only what they would write is made.
TOOLS = re.compile(r"(?:^|\s)(?:apk|apt-get|cd|git|go|pm|python3|svace|echo)\s")
WRITTEN = re.compile(r"\s-(?:o|t)\s+/(\S+)")
STAGES = ("beforeInstall", "install", "beforeSetup", "setup")


class Failed(Exception):
    """Ends up as `Error: …` on stderr and exit code 1."""


def truth(name: str) -> bool:
    return os.environ.get(name) in {"1", "true", "yes"}


def git(*arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(f"git {arguments[0]}: {done.stderr.decode()}")
    return done.stdout


def parse(
    arguments: list[str], values: set[str] = VALUES, switches: set[str] = SWITCHES
) -> tuple[dict[str, list[str]], list[str]]:
    flags: dict[str, list[str]] = {}
    names = []
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if not argument.startswith("-"):
            names.append(argument)
        elif name in values:
            if not equals:
                value = next(rest, "")
                if not value:
                    usage(f"flag needs an argument: {name}")
            flags.setdefault(name, []).append(value)
        elif name in switches:
            flags.setdefault(name, []).append(value if equals else "true")
        else:
            usage(f"unknown flag: {name}")
    return flags, names


def usage(problem: str) -> NoReturn:
    print("Usage:\n  werf build [IMAGE_NAME...] [options]")
    raise Failed(problem)


class Registry:
    """The few requests that storing a stage takes."""

    def __init__(self, repo: str) -> None:
        self.host, _, self.path = repo.partition("/")

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        except OSError as error:
            cause = f"dial tcp {self.host}: connect: connection refused"
            where = f"{self.host}/{self.path}"
            raise Failed(
                f'unable to fetch tags for repo "{where}": reading tags for "{where}": '
                f'Get "https://{self.host}/v2/": {cause}; Get "http://{self.host}/v2/": {cause}'
            ) from error
        finally:
            connection.close()

    def tags(self) -> list[str]:
        status, _, body = self.ask("GET", f"/v2/{self.path}/tags/list?n=1000")
        if status == 404:
            return []
        if status == 401:
            raise Failed(
                f'unable to fetch tags for repo "{self.host}/{self.path}": GET '
                f"http://{self.host}/v2/{self.path}/tags/list?n=1000: UNAUTHORIZED: authentication "
                f"required; [map[Action:pull Class: Name:{self.path} Type:repository]]"
            )
        return list(json.loads(body)["tags"] or [])

    def digest(self, tag: str) -> str:
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        _, headers, _ = self.ask("HEAD", f"/v2/{self.path}/manifests/{tag}", Accept=kind)
        return headers.get("docker-content-digest", "")

    def blob(self, data: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        status, headers, _ = self.ask("POST", f"/v2/{self.path}/blobs/uploads/", b"")
        if status != 202:
            raise Failed(f"unable to push image: unexpected status {status}")
        where = headers["location"].partition(self.host)[2]
        separator = "&" if "?" in where else "?"
        self.ask("PUT", f"{where}{separator}digest={digest}", data)
        return digest

    def push(self, tag: str, layer: bytes, labels: dict[str, str]) -> tuple[str, str, int]:
        """(image id, digest, size): a Docker manifest, as werf's buildah writes by default."""
        layer_digest = self.blob(layer)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": labels},
                "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
            },
            sort_keys=True,
        ).encode()
        config_digest = self.blob(config)
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": kind,
                "config": {
                    "mediaType": "application/vnd.docker.container.image.v1+json",
                    "size": len(config),
                    "digest": config_digest,
                },
                "layers": [
                    {
                        "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
                        "size": len(layer),
                        "digest": layer_digest,
                    }
                ],
            },
            sort_keys=True,
        ).encode()
        path = f"/v2/{self.path}/manifests/{tag}"
        status, headers, _ = self.ask("PUT", path, manifest, Content_Type=kind)
        if status != 201:
            raise Failed(f"unable to push image {tag}: unexpected status {status}")
        return config_digest, headers["docker-content-digest"], len(layer)


def matched(path: str, patterns: list[str]) -> bool:
    """As werf's path matcher does: the glob, the glob without stars at its end, and all below that."""
    for pattern in patterns:
        trimmed = re.sub(r"(/?\*+)+$", "", pattern.strip("/")).rstrip("/")
        for glob in (pattern.strip("/"), trimmed, f"{trimmed}/**/*".lstrip("/")):
            parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
            wild = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
            if re.fullmatch("".join(wild.get(part) or re.escape(part) for part in parts), path):
                return True
    return False


Files = dict[str, tuple[int, bytes]]


def mapped(files: Files, rule: dict[str, Any]) -> Files:
    """What a git mapping or an import takes of some files, under the names that it gives them."""
    add, to = (str(rule.get(key) or "/").strip("/") for key in ("add", "to"))
    taken = {}
    for path, content in files.items():
        below = path.removeprefix(f"{add}/" if add else "")
        if add and path == add:
            taken[to] = content
        elif not add or path.startswith(f"{add}/"):
            include, exclude = rule.get("includePaths"), rule.get("excludePaths") or []
            if (not include or matched(below, include)) and not matched(below, exclude):
                taken[f"{to}/{below}".lstrip("/")] = content
    return taken


def layer_of(files: Files) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as target:
        made: set[str] = set()
        for path, (mode, data) in sorted(files.items()):
            for parent in reversed(Path(path).parents[:-1]):
                if str(parent) not in made:
                    made.add(str(parent))
                    entry = tarfile.TarInfo(str(parent))
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    target.addfile(entry)
            entry = tarfile.TarInfo(path)
            entry.mode, entry.size = mode, len(data)
            target.addfile(entry, io.BytesIO(data))
    return output.getvalue()


class Build:
    def __init__(self, flags: dict[str, list[str]]) -> None:
        self.flags = flags
        self.images: dict[str, dict[str, Any]] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.dev = "--dev" in flags or truth("WERF_DEV")
        self.commit = ""
        self.tree = ""

    def one(self, flag: str, variable: str = "") -> str:
        return self.flags.get(flag, [os.environ.get(variable, "")])[-1]

    def open_git(self) -> None:
        inside = subprocess.run(
            ["git", "rev-parse", "--show-toplevel"], capture_output=True, check=False
        )
        if inside.returncode != 0:
            raise Failed(
                "unable to get git work tree: werf requires a git work tree for the project to "
                f'exist: unable to find a valid .git in the current directory "{Path.cwd()}" or '
                "parent directories, you may also specify git work tree explicitly with "
                "--git-work-tree option (or WERF_GIT_WORK_TREE env var)"
            )
        head = subprocess.run(
            ["git", "rev-parse", "--verify", "-q", "HEAD"], capture_output=True, check=False
        )
        if head.returncode != 0:
            raise Failed(
                "unable to get git repo head commit: git get refs from HEAD command failed: error "
                "running command: exit status 1\nStdout:\n\nStderr:\n"
            )
        self.commit = head.stdout.decode().strip()
        self.tree = self.commit
        if self.dev:
            index = Path(git("rev-parse", "--git-dir").decode().strip()) / "werf-dev-index"
            environment = {**os.environ, "GIT_INDEX_FILE": str(index.resolve())}
            subprocess.run(["git", "read-tree", "HEAD"], env=environment, check=True)
            subprocess.run(["git", "add", "-A", "."], env=environment, check=True)
            made = subprocess.run(
                ["git", "write-tree"], env=environment, check=True, capture_output=True
            )
            self.tree = made.stdout.decode().strip()
            index.unlink()

    def committed(self, path: str) -> bytes | None:
        shown = subprocess.run(
            ["git", "show", f"{self.tree}:./{path}"], capture_output=True, check=False
        )
        return shown.stdout if shown.returncode == 0 else None

    def giterminism(self) -> dict[str, Any]:
        name = (
            self.one("--giterminism-config", "WERF_GITERMINISM_CONFIG") or "werf-giterminism.yaml"
        )
        allowed = yaml.safe_load(self.committed(name) or b"") or {}
        return dict(allowed.get("config") or {})

    def read(self) -> str:
        """The config by name, or werf.yaml, or werf.yml."""
        named = self.one("--config", "WERF_CONFIG")
        for path in [named] if named else ["werf.yaml", "werf.yml"]:
            text = self.committed(path)
            if text is not None:
                return text.decode()
            if self.giterminism().get("allowUncommitted") and Path(path).exists():
                return Path(path).read_text()
        raise Failed(
            "unable to load werf config: unable to render werf config: unable to read werf "
            f'config: the file "{named or "werf.yaml"}" not found in the project git repository\n\n'
            "To provide a strong guarantee of reproducibility, werf reads the configuration "
            "and build's context files from the project git repository"
        )

    def rendered(self) -> str:
        if program := os.environ.get("GORENDER"):
            return self.rendered_by(program, self.read())
        text = self.render(self.read())
        if "{{" in text:
            where = text[text.index("{{") :].splitlines()[0]
            raise Failed(f"unable to load werf config: unable to render werf config: {where}")
        return text.replace("\0", "{{")

    def rendered_by(self, program: str, text: str) -> str:
        """By the renderer that has werf's template libraries, over what is committed."""
        rendering = self.giterminism().get("goTemplateRendering") or {}
        rules = rendering.get("allowEnvVariables") or []
        with tempfile.TemporaryDirectory() as root:
            with tarfile.open(
                fileobj=io.BytesIO(git("archive", "--format=tar", self.tree))
            ) as tree:
                tree.extractall(f"{root}/tree", filter="data")
            allowed = Path(root, "allowed")
            allowed.write_text(
                "\n".join(r[1:-1] if r.startswith("/") else re.escape(r) for r in rules)
            )
            done = subprocess.run(
                [program, f"{root}/tree", str(allowed)],
                input=text,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            said = done.stderr.strip()
            raise Failed(f"unable to load werf config: unable to render werf config: {said}")
        return done.stdout

    def render(self, text: str) -> str:
        text = text.replace('{{ "{{" }}', "\0")
        text = re.sub(r"\{\{-? ?/\*.*?\*/ ?-?\}\}", "", text, flags=re.DOTALL)
        text = re.sub(r'\{\{-? env "([^"]+)"(?: "([^"]*)")? -?\}\}', self.env, text)
        return re.sub(r'\{\{-? tpl \(\.Files\.Get "([^"]+)"\) [.$] -?\}\}', self.included, text)

    def env(self, found: "re.Match[str]") -> str:
        name, default = found[1], found[2]
        rendering = self.giterminism().get("goTemplateRendering") or {}
        allowed = rendering.get("allowEnvVariables") or []
        if not any(
            re.fullmatch(rule.strip("/"), name) if rule.startswith("/") else rule == name
            for rule in allowed
        ):
            raise Failed(
                "unable to load werf config: unable to render werf config: error calling env: the "
                "configuration with potential external dependency found in the werf config: env "
                f'name "{name}" not allowed by giterminism'
            )
        if name not in os.environ and default is None:
            raise Failed(
                "unable to load werf config: unable to render werf config: error calling env: the "
                f'environment variable "{name}" must be set or default must be provided'
            )
        return os.environ.get(name) or default or ""

    def included(self, found: "re.Match[str]") -> str:
        text = self.committed(found[1])
        if text is None:
            raise Failed(
                "unable to load werf config: unable to render werf config: error calling Get: the "
                f'file "{found[1]}" not found in the project git repository'
            )
        return self.render(text.decode())

    def config(self) -> list[dict[str, Any]]:
        rendered = self.rendered()
        found = [yaml.safe_load(part) for part in re.split(r"(?m)^---[ \t]*(?:#.*)?$", rendered)]
        found = [document for document in found if document]
        if not any("configVersion" in document for document in found):
            raise Failed(
                "unable to load werf config: meta config section (part of YAML stream) req"
            )
        for document in found:
            known = (
                META
                if "image" not in document
                else (DOCKERFILE if "dockerfile" in document else STAPEL)
            )
            unknown = sorted(set(document) - known)
            if unknown:
                listed = ", ".join(f"`{name}`" for name in unknown)
                raise Failed(f"unable to load werf config: unknown fields: {listed}!\n\n<tmp>\n")
        images = [document for document in found if "image" in document]
        for image in images:
            name = str(image["image"])
            if name in self.images:
                raise Failed(f"unable to load werf config: conflict between images names: {name!r}")
            self.images[name] = image
            if image.get("from") == "scratch":
                raise Failed(f"unable to load werf config: image {name!r}: from: scratch")
        return images

    def needs(self, image: dict[str, Any]) -> list[str]:
        """The images of the same config that one is built from, the first ones first."""
        named = [image.get("fromImage"), image.get("from")]
        named += [rule.get("image") or rule.get("from") for rule in image.get("import") or ()]
        named += [rule.get("image") for rule in image.get("dependencies") or ()]
        return [name for name in named if name in self.images]

    def ordered(self, names: list[str]) -> list[dict[str, Any]]:
        """The images of these names with all that they need, in an order to build them in."""
        done: dict[str, dict[str, Any]] = {}

        def visit(name: str) -> None:
            if name not in done:
                for need in self.needs(self.images[name]):
                    visit(need)
                done[name] = self.images[name]

        for name in names:
            visit(name)
        return list(done.values())

    def files(self, image: dict[str, Any]) -> Files:
        """What a stapel image holds; a Dockerfile image holds its context."""
        if "dockerfile" in image:
            return self.tracked(self.context(image))
        base = image.get("fromImage") or image.get("from")
        files = dict(self.files(self.images[base])) if base in self.images else {}
        for rule in image.get("git") or ():
            files |= mapped(self.tracked("."), rule)
        imports = image.get("import") or []
        files |= self.imported([rule for rule in imports if "before" in rule])
        files |= self.shell(image)
        return files | self.imported([rule for rule in imports if "after" in rule])

    def imported(self, rules: list[dict[str, Any]]) -> Files:
        files: Files = {}
        for rule in rules:
            source = str(rule.get("image") or rule.get("from"))
            if source not in self.images:
                raise Failed(f"this stand-in imports from images of the config only: {source}")
            taken = mapped(self.files(self.images[source]), rule)
            base = str(self.images[source].get("from") or "")
            if not taken and "@sha256:" in base:
                # What a base image of somewhere else holds is not known here.
                taken = {str(rule.get("to") or rule["add"]).strip("/"): (0o755, base.encode())}
            if not taken:
                raise Failed(f"import from {source} copies nothing: {rule}")
            files |= taken
        return files

    def shell(self, image: dict[str, Any]) -> Files:
        scripts = image.get("shell") or {}
        commands = [line for stage in STAGES for line in scripts.get(stage) or ()]
        foreign = [line for line in commands if TOOLS.search(line) and "> /" not in line]
        made: Files = {}
        for line in foreign:
            for path in WRITTEN.findall(line):
                target = f"{path}/fetched.py" if " pip " in line else path
                made[target] = (0o755, hashlib.sha256(line.encode()).hexdigest().encode())
        commands = [line for line in commands if line not in foreign]
        if not commands:
            return made
        environ = {"PATH": os.environ["PATH"]}
        for rule in image.get("dependencies") or ():
            record = self.records[rule["image"]]
            for each in rule.get("imports") or ():
                value = {"ImageDigest": "DockerImageDigest", "ImageName": "DockerImageName"}
                environ[each["targetEnv"]] = record[value[each["type"]]]
        with tempfile.TemporaryDirectory() as root:
            script = "\n".join(commands).replace("> /", f"> {root}/")
            done = subprocess.run(
                ["sh", "-ec", script], env=environ, capture_output=True, text=True, check=False
            )
            print(done.stdout, end="", flush=True)
            if done.returncode != 0:
                print(done.stderr, end="", flush=True)
                raise Failed(
                    "failed to build image for stage setup with digest 0: error building stage "
                    f"setup: exit status {done.returncode}"
                )
            for path in sorted(Path(root).rglob("*")):
                if path.is_file():
                    made[path.relative_to(root).as_posix()] = (0o644, path.read_bytes())
            return made

    def tracked(self, directory: str) -> Files:
        archive = git("archive", "--format=tar", self.tree, "--", directory)
        below = "" if directory == "." else f"{directory}/"
        with tarfile.open(fileobj=io.BytesIO(archive)) as source:
            return {
                entry.name.removeprefix(below): (
                    entry.mode & 0o755,
                    source.extractfile(entry).read(),
                )  # type: ignore[union-attr]
                for entry in source
                if entry.isreg()
            }

    def context(self, image: dict[str, Any]) -> str:
        return str(image.get("context", "."))

    def check_clean(self, image: dict[str, Any]) -> None:
        if self.dev:
            return
        rules = image.get("git") or []
        context = self.context(image) if "dockerfile" in image else "."
        status = git("status", "--porcelain", "-z", "--untracked-files=all", "--", context)
        for entry in filter(None, status.split(b"\0")):
            path = entry[3:].decode()
            if "dockerfile" not in image and not any(mapped({path: (0, b"")}, r) for r in rules):
                continue
            raise Failed(
                f'the file "{path}" must be committed\n\nYou may be interested in the development '
                "mode (activated by the --dev option), which allows working with project files "
                "without doing redundant commits during debugging and development."
            )

    def layer(self, image: dict[str, Any]) -> tuple[bytes, str]:
        """(layer, content): files of HEAD below the context, without times."""
        if "dockerfile" not in image:
            data = layer_of(self.files(image))
            content = hashlib.sha3_224(data)
            content.update(json.dumps(image, sort_keys=True, default=str).encode())
            for name in self.needs(image):
                content.update(self.records[name]["DockerImageDigest"].encode())
            return data, content.hexdigest()
        context = self.context(image)
        archive = git("archive", "--format=tar", self.tree, "--", context)
        output = io.BytesIO()
        with (
            tarfile.open(fileobj=io.BytesIO(archive)) as source,
            tarfile.open(fileobj=output, mode="w") as target,
        ):
            for entry in source:
                entry.mtime = 0
                entry.pax_headers = {}
                stream = source.extractfile(entry) if entry.isreg() else None
                target.addfile(entry, stream)
        data = output.getvalue()
        content = hashlib.sha3_224(data)
        content.update(json.dumps(image, sort_keys=True, default=str).encode())
        return data, content.hexdigest()

    def dockerfile(self, image: dict[str, Any]) -> list[str]:
        if "dockerfile" not in image:
            return []
        path = f"{self.context(image)}/{image['dockerfile']}"
        text = self.committed(path)
        if text is None:
            raise Failed(f'the file "{path}" not found in the project git repository')
        return [line for line in text.decode().splitlines() if line and not line.startswith("#")]

    def one_image(self, image: dict[str, Any], registry: Registry, say: str) -> dict[str, Any]:
        name = str(image["image"])
        started = time.monotonic()
        self.check_clean(image)
        tags = registry.tags()
        layer, content = self.layer(image)
        known = sorted(tag for tag in tags if re.fullmatch(rf"{content}-\d{{13}}", tag))
        lines = self.dockerfile(image)
        if known:
            tag = known[0]
            print(f"│ Use previously built image for {name}/dockerfile")
            digest, identity, size = registry.digest(tag), "sha256:" + content + "0" * 8, len(layer)
        else:
            print(f"│ ┌ Building stage {name}/dockerfile")
            self.run_steps(name, lines, content)
            tag = f"{content}-{time.time_ns() // 1_000_000}"
            labels = {"werf": "echo", "werf-version": VERSION}
            identity, digest, size = registry.push(tag, layer, labels)
            print(f"│ └ Building stage {name}/dockerfile (0.10 seconds)")
        print(f"│      name: {registry.host}/{registry.path}:{tag}")
        print(f"└ {say} ({time.monotonic() - started:.2f} seconds)", flush=True)
        return {
            "WerfImageName": name,
            "DockerRepo": f"{registry.host}/{registry.path}",
            "DockerTag": tag,
            "DockerImageID": identity,
            "DockerImageDigest": digest,
            "DockerImageName": f"{registry.host}/{registry.path}:{tag}",
            "TargetPlatform": "linux/amd64",
            "Rebuilt": not known,
            "Final": image.get("final") is not False,
            "Size": size,
            "BuildTime": f"{time.monotonic() - started:.2f}",
            "Stages": [],
        }

    def run_steps(self, name: str, lines: list[str], content: str) -> None:
        stage = (
            f"failed to build image for stage dockerfile with digest {content}: error building "
            "stage dockerfile: error building dockerfile with buildah-backend: unable to build "
            'Dockerfile "<tmp>/Dockerfile":'
        )
        for number, line in enumerate(lines, start=1):
            print(f"STEP {number}/{len(lines)}: {line}", flush=True)
            if line.startswith("FROM ") and "/nothing" in line:
                base = line.split()[1]
                raise Failed(
                    f'unable to fetch base image "{base}" for stage {name}/from: unable to pull '
                    f"image {base}: reading manifest: manifest unknown"
                )
            if found := re.match(r"RUN exit (\d+)", line):
                print(f"subprocess exited with status {found[1]}", flush=True)
                raise Failed(
                    f"{stage}\nsubprocess exited with status {found[1]}\n\n"
                    f'building at STEP "{line}": exit status {found[1]}'
                )
            if found := re.match(r"RUN sleep ([\d.]+)", line):
                time.sleep(float(found[1]))


def build(arguments: list[str]) -> None:
    flags, names = parse(arguments)
    work = Build(flags)
    print(f"Version: {VERSION}", flush=True)
    work.open_git()
    images = work.config()
    print("Using werf config render file: <tmp>/werf-config-render\n", flush=True)
    known = {str(image["image"]) for image in images}
    for name in names:
        if name not in known:
            raise Failed(f'no image matches pattern "{name}"')
    chosen = work.ordered(names or [str(image["image"]) for image in images])
    repo = work.one("--repo", "WERF_REPO")
    if not repo:
        raise Failed("this stand-in builds into a repository only: --repo=ADDRESS param required")
    if not work.one("--synchronization", "WERF_SYNCHRONIZATION"):
        raise Failed(
            "unable to init http synchronization: unable to get client id: no network here"
        )
    report_path = work.one("--build-report-path", "WERF_BUILD_REPORT_PATH")
    save = "--save-build-report" in flags or truth("WERF_SAVE_BUILD_REPORT")
    if save and not report_path.endswith(".json"):
        raise Failed(f'invalid --build-report-path "{report_path}": extension must be either .json')
    registry = Registry(repo)
    records = work.records
    failed: Failed | None = None
    for number, image in enumerate(chosen, start=1):
        name = str(image["image"])
        say = f"({number}/{len(chosen)}) image {name}"
        print(f"┌ {say}", flush=True)
        try:
            records[name] = work.one_image(image, registry, say)
        except Failed as error:
            print(f"└ {say} (0.10 seconds) FAILED", flush=True)
            failed = failed or Failed(
                "unable to process images: unable to process images in parallel: unable to process "
                f'image "{name}" with parallel task 0: phase build on image {name} stage dockerfile '
                f"handler failed: {error}"
            )
    if failed is not None:
        raise failed
    if save:
        # Plain overwrite, tab-indented, only after everything went well.
        Path(report_path).write_text(
            json.dumps({"Images": records, "ImagesByPlatform": {}}, indent="\t") + "\n"
        )


def show_config(verb: str, arguments: list[str]) -> None:
    flags, names = parse(arguments, RENDERING, RENDERING_SWITCHES)
    work = Build(flags)
    work.open_git()
    if verb == "render":
        work.config()
        print(work.rendered())
        return
    if names:
        usage("accepts 0 arg(s)")
    for image in work.config():
        if "--final-images-only" not in flags or image.get("final") is not False:
            print(image["image"])


def interrupted(signum: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signum, signal.SIG_DFL)
    time.sleep(float(os.environ.get("STANDIN_GRACE", "0.1")))
    print("subprocess exited on killed\n\nRunning time 0.13 seconds")
    print(f"Signal: {'interrupt' if signum == signal.SIGINT else 'terminated'}", flush=True)
    os._exit(128 + signum)


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    try:
        match arguments:
            case ["version"]:
                print(VERSION)
            case ["build", *rest]:
                build(rest)
                print("\nRunning time 0.13 seconds")
            case ["config", "list" | "render" as verb, *rest]:
                show_config(verb, rest)
                return 0
            case _:
                usage(f"unknown command {' '.join(arguments)}")
    except Failed as error:
        print("\nRunning time 0.13 seconds", flush=True)
        print(f"Error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
