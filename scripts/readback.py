"""Read a local registry where there is no crane: `tags REPOSITORY`, `file REPOSITORY:TAG PATH`."""

import io
import json
import sys
import tarfile
import urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def get(reference: str, kind: str, name: str) -> bytes:
    host, _, repository = reference.partition("/")
    url = f"http://{host}/v2/{repository}/{kind}/{name}"
    request = urllib.request.Request(url, headers={"Accept": MANIFEST})
    with urllib.request.urlopen(request, timeout=30) as answer:
        data: bytes = answer.read()
    return data


def main() -> int:
    what, reference, *rest = sys.argv[1:]
    if what == "tags":
        print("\n".join(sorted(json.loads(get(reference, "tags", "list"))["tags"])))
        return 0
    repository, _, tag = reference.rpartition(":")
    manifest = json.loads(get(repository, "manifests", tag))
    for layer in reversed(manifest["layers"]):
        data = io.BytesIO(get(repository, "blobs", layer["digest"]))
        with tarfile.open(fileobj=data) as archive:
            if rest[0] in archive.getnames():
                member = archive.extractfile(rest[0])
                assert member is not None
                sys.stdout.buffer.write(member.read())
                return 0
    print(f"{rest[0]} is not in {reference}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
