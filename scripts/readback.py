"""Read a local registry where there is no crane.

tags REPOSITORY, digest REPOSITORY:TAG, file REPOSITORY:TAG PATH
"""

import hashlib
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
    data = get(repository, "manifests", tag)
    if what == "digest":
        print(f"sha256:{hashlib.sha256(data).hexdigest()}")
        return 0
    manifest = json.loads(data)
    for layer in reversed(manifest["layers"]):
        blob = io.BytesIO(get(repository, "blobs", layer["digest"]))
        with tarfile.open(fileobj=blob) as archive:
            if rest[0] in archive.getnames():
                member = archive.extractfile(rest[0])
                assert member is not None
                sys.stdout.buffer.write(member.read())
                return 0
    print(f"{rest[0]} is not in {reference}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
