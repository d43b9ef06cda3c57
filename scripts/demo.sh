#!/usr/bin/env bash
# The main job, shown on a small module: build, nothing to do, a crash in the middle, finish, read back.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export PATH="$root/.venv/bin:$PATH"
# The demo is the same wherever it runs: no CI variable and no setting of the caller's has a say.
while read -r name; do unset "$name"; done < <(compgen -e | grep -E '^(CI|GITHUB_|GITLAB_|MODULES_|WERF_|ORCHESTRATOR_|TAG_NAME|BRANCH_NAME|CHANGE_ID)' || true)
module=$root/.demo/echo

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

commit() {
  git -C "$module" add -A
  GIT_AUTHOR_DATE=$2 GIT_COMMITTER_DATE=$2 git -C "$module" -c user.name=Demo -c user.email=demo@example.com \
    -c commit.gpgsign=false commit -q -m "$1"
  git -C "$module" -c tag.gpgsign=false tag "$1"
}

step "A module: fixtures/modules/echo in a git repository of its own, with this machine's static busybox"
rm -rf "$root/.demo"
mkdir -p "$root/.demo"
cp -R "$root/fixtures/modules/echo" "$module"
for image in "$module"/images/*/; do
  mkdir -p "$image/rootfs/bin"
  cp "$(command -v busybox)" "$image/rootfs/bin/busybox"
done
git -C "$module" init -q -b main
commit v0.1.0 2026-01-01T00:00:00Z
ls "$module"

step "Build and publish v0.1.0: no registry is given, so a local one is started"
cd "$module"
printf '$ make build\n'
first=$(make -s build)
echo "$first"
[[ $first == 127.0.0.1:*/modules/echo@sha256:* ]] || fail "the last line is not R/M@sha256:…"

step "The same again: nothing to do"
again=$(run orchestrator build 2>.orchestrator/again) || fail "the second build failed"
cat .orchestrator/again
[[ $again == *"$first" ]] || fail "the digest changed"
grep -q '^nothing to do$' .orchestrator/again || fail "something was done again"

step "A new version, killed with -9 in the middle"
sed -i 's/Ask the backend anything./Hello. Ask the backend anything./' images/frontend/rootfs/www/index.html
commit v0.2.0 2026-02-01T00:00:00Z
orchestrator build 2>.orchestrator/killed &
builder=$!
for _ in $(seq 1 2000); do
  if grep -q '^module    runs' .orchestrator/killed 2>/dev/null || ! kill -0 $builder 2>/dev/null; then break; fi
  sleep 0.002
done
kill -9 $builder 2>/dev/null || fail "it had ended before it could be killed"
wait $builder 2>/dev/null || true
cat .orchestrator/killed

step "Run the same command again: it finishes"
second=$(run orchestrator build) || fail "the build was not finished"
echo "$second"
second=${second##*$'\n'}
[[ $second != "$first" ]] || fail "v0.2.0 has the digest of v0.1.0"

step "Where everything stands"
run orchestrator status

step "Read back from the registry, by a tool that is not ours"
orchestrator registry serve >.orchestrator/source 2>/dev/null &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 1 500); do [ -s .orchestrator/source ] && break; sleep 0.02; done
source=$(cat .orchestrator/source)
if command -v crane >/dev/null; then
  run crane ls "$source"
  run crane ls "$source/echo"
  run crane ls "$source/echo/release"
  printf '$ crane export %s/echo:v0.2.0 - | tar -Oxf - images_digests.json\n' "$source"
  crane export "$source/echo:v0.2.0" - | tar -Oxf - images_digests.json
  printf '$ crane export %s/echo/release:v0.2.0 - | tar -Oxf - version.json\n' "$source"
  version=$(crane export "$source/echo/release:v0.2.0" - | tar -Oxf - version.json)
  echo "$version"
  [[ $version == '{"version":"v0.2.0"}' ]] || fail "version.json is wrong"
  [[ $(crane digest "$source/echo:v0.2.0") == "${second##*@}" ]] || fail "another digest is published"
else
  python - "$source" "${second##*@}" <<'PYTHON'
import json, sys, urllib.request
source, digest = sys.argv[1:]
host, _, path = source.partition("/")
for place in (path, f"{path}/echo", f"{path}/echo/release"):
    with urllib.request.urlopen(f"http://{host}/v2/{place}/tags/list") as answer:
        print(place, *json.load(answer)["tags"])
kind = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
request = urllib.request.Request(f"http://{host}/v2/{path}/echo/manifests/v0.2.0", headers=kind)
with urllib.request.urlopen(request) as answer:
    assert answer.headers["Docker-Content-Digest"] == digest, "another digest is published"
PYTHON
fi

step "Done: $second"
echo "The module is in .demo/echo; \`cd .demo/echo && ../../.venv/bin/orchestrator registry serve\` keeps its registry up."
