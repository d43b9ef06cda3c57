"""A stand-in for werf 2.62 that behaves as recorded: texts, streams, exit codes, report, signals.

It reads git as werf does, and pushes real images of one layer to a real registry. It knows the
documents that a generated config has: Dockerfile images, and stapel images with git and from.
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
META = {"project", "configVersion", "build", "cleanup", "deploy", "gitWorktree"}
DOCKERFILE = {"image", "dockerfile", "context", "args", "target", "final", "platform", "staged"}
STAPEL = {"image", "from", "fromImage", "final", "git", "shell", "import", "imageSpec", "platform"}


class Failed(Exception):
    """Ends up as `Error: …` on stderr and exit code 1."""


def truth(name: str) -> bool:
    return os.environ.get(name) in {"1", "true", "yes"}


def git(*arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(f"git {arguments[0]}: {done.stderr.decode()}")
    return done.stdout


def parse(arguments: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    flags: dict[str, list[str]] = {}
    names = []
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if not argument.startswith("-"):
            names.append(argument)
        elif name in VALUES:
            if not equals:
                value = next(rest, "")
                if not value:
                    usage(f"flag needs an argument: {name}")
            flags.setdefault(name, []).append(value)
        elif name in SWITCHES:
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


class Build:
    def __init__(self, flags: dict[str, list[str]]) -> None:
        self.flags = flags
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

    def config(self) -> list[dict[str, Any]]:
        path = self.one("--config", "WERF_CONFIG") or "werf.yaml"
        text = self.committed(path)
        if text is None:
            allowed = yaml.safe_load(self.committed("werf-giterminism.yaml") or b"") or {}
            on_disk = Path(path)
            if not (allowed.get("config") or {}).get("allowUncommitted") or not on_disk.exists():
                raise Failed(
                    "unable to load werf config: unable to render werf config: unable to read werf "
                    f'config: the file "{path}" not found in the project git repository\n\n'
                    "To provide a strong guarantee of reproducibility, werf reads the configuration "
                    "and build's context files from the project git repository"
                )
            text = on_disk.read_bytes()
        rendered = text.decode().replace('{{ "{{" }}', "\0")
        if "{{" in rendered:
            raise Failed("unable to load werf config: unable to render werf config: template: x")
        rendered = rendered.replace("\0", "{{")
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
        return [document for document in found if "image" in document]

    def context(self, image: dict[str, Any]) -> str:
        if "dockerfile" in image:
            return str(image.get("context", "."))
        return str((image.get("git") or [{}])[0].get("add", "/")).strip("/") or "."

    def check_clean(self, image: dict[str, Any]) -> None:
        if self.dev:
            return
        context = self.context(image)
        status = git("status", "--porcelain", "-z", "--untracked-files=all", "--", context)
        for entry in filter(None, status.split(b"\0")):
            path = entry[3:].decode()
            raise Failed(
                f'the file "{path}" must be committed\n\nYou may be interested in the development '
                "mode (activated by the --dev option), which allows working with project files "
                "without doing redundant commits during debugging and development."
            )

    def layer(self, image: dict[str, Any]) -> tuple[bytes, str]:
        """(layer, content): files of HEAD below the context, without times."""
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
    chosen = [image for image in images if not names or str(image["image"]) in names]
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
    records = {}
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
            case _:
                usage(f"unknown command {' '.join(arguments)}")
    except Failed as error:
        print("\nRunning time 0.13 seconds", flush=True)
        print(f"Error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
