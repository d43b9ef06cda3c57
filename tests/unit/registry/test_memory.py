"""A large layer goes from one registry to another through a small process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import real_registry

GIB = 1024 * 1024 * 1024

COPY = r"""
import hashlib, itertools, json, re, sys
from orchestrator.model import Digest, Repository
from orchestrator.process import LocalRunner
from orchestrator.registry.client import Registry
from orchestrator.registry.copy import copy
from orchestrator.registry.manifest import OCI_MANIFEST
source, target, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
registry = Registry.connect(env={"HOME": "/nonexistent"}, runner=LocalRunner({}), retries=0)
block = bytes(range(256)) * 4096
whole = hashlib.sha256()
for _ in range(size // len(block)):
    whole.update(block)
digest = Digest("sha256:" + whole.hexdigest())
here = Repository.parse(source + "/big")
registry.put_blob(here, digest, size, lambda: itertools.repeat(block, size // len(block)))
config = b"{}"
config_digest = Digest("sha256:" + hashlib.sha256(config).hexdigest())
registry.put_blob(here, config_digest, 2, lambda: [config])
manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": 2},
    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size}]})
registry.put_manifest(here.tagged("v1"), manifest.encode(), OCI_MANIFEST)
there = Repository.parse(target + "/big")
copied = copy(registry, here.tagged("v1"), there.tagged("v1"))
assert registry.head(there.tagged("v1")).digest == copied
assert registry.has_blob(there, digest)
# Not getrusage: that would count the process that started this one.
print(int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) * 1024)
"""


@pytest.mark.slow
def test_a_gibibyte_under_80_mebibytes(tmp_path: Path) -> None:
    with real_registry(tmp_path / "a") as first, real_registry(tmp_path / "b") as second:
        done = subprocess.run(
            [sys.executable, "-c", COPY, first.address, second.address, str(GIB)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 80 * 1024 * 1024
