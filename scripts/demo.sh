#!/usr/bin/env bash
# Publish the echo module into a local registry, do it again, kill it half-way, finish it, read it back.
# Everything lies in .demo; each step checks its outcome, and the first wrong one ends the script.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
demo=$root/.demo
module=$demo/echo
python=$root/.venv/bin/python
export PATH=$root/.venv/bin:$PATH

# A CI job's or a user's variables would choose another version, registry or builder.
for name in $(compgen -e | grep -E '^(CI|CI_.*|GITHUB_.*|GITLAB_.*|MODULES_.*|ORCHESTRATOR_.*|WERF_.*|TAG_NAME|BRANCH_NAME|CHANGE_ID|SOURCE_DATE_EPOCH|DOCKER_CONFIG|GIT_.*)$' || true); do
  unset "$name"
done
export ORCHESTRATOR_BUILDER=buildah
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=Demo GIT_AUTHOR_EMAIL=demo@example.com GIT_AUTHOR_DATE=2026-01-01T00:00:00Z
export GIT_COMMITTER_NAME=Demo GIT_COMMITTER_EMAIL=demo@example.com GIT_COMMITTER_DATE=2026-01-01T00:00:00Z

heading() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; }
fail() { printf 'demo: WRONG: %s\n' "$*" >&2; exit 1; }
check() { printf '  ok: %s\n' "$1"; }

server=
stop_server() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  server=
}
trap stop_server EXIT

release() { # VERSION: commit everything and tag it
  git add -A
  git commit -q -m "Release $1"
  git tag "$1"
}

# Two ways to read a file out of an image: crane as the Deckhouse documents show, or plain HTTP.
tags_of() { # REPOSITORY
  if command -v crane >/dev/null; then crane ls --insecure "$1" | sort
  else "$python" "$root/scripts/readback.py" tags "$1"; fi
}
digest_of() { # REPOSITORY:TAG
  if command -v crane >/dev/null; then crane digest --insecure "$1"
  else "$python" "$root/scripts/readback.py" digest "$1"; fi
}
file_of() { # REPOSITORY:TAG FILE
  if command -v crane >/dev/null; then crane export --insecure "$1" - | tar -xOf - "$2"
  else "$python" "$root/scripts/readback.py" file "$1" "$2"; fi
}

heading "A module in git: $module"
rm -rf "$demo"
mkdir -p "$demo"
cp -R fixtures/modules/echo "$module"
for image in backend frontend; do
  # The images are made FROM scratch; this machine's static busybox is all that is in them.
  mkdir -p "$module/images/$image/rootfs/bin"
  cp "$(readlink -f "$(command -v busybox)")" "$module/images/$image/rootfs/bin/busybox"
done
cd "$module"
git init -q -b main
release v0.1.0
cat Makefile
check "commit $(git rev-parse --short HEAD), tag $(git tag --points-at HEAD)"

heading "1. make build: images, module, release, catalog; no werf, no registry account needed"
first=$(make -s build | tail -n 1)
printf '%s\n' "$first"
[[ $first =~ ^127\.0\.0\.1:[0-9]+/modules/echo@sha256:[0-9a-f]{64}$ ]] || fail "the last line is not R/M@sha256:…"
check "the last line on stdout is the module image"

heading "2. The same again: nothing to do"
show orchestrator plan --exit-code
orchestrator plan --exit-code || fail "there is something to do after a build"
again=$(make -s build 2>"$demo/second.log" | tail -n 1)
tail -n 1 "$demo/second.log"
grep -qx 'nothing to do' "$demo/second.log" || fail "the second build did something"
[ "${again#*@}" = "${first#*@}" ] || fail "another digest: $again"
check "the same digest, and nothing was written"

heading "3. A new version, killed half-way (kill -9 as soon as the images are built)"
sed -i 's/%s\\n" "$line"/echo: %s\\n" "$line"/' images/backend/rootfs/echo.sh
git diff --quiet && fail "the change of the backend did not apply"
release v0.2.0
journal=$(ls .orchestrator/journal/*.jsonl)
show "orchestrator build & kill -9 \$!"
"$python" "$root/scripts/kill_after.py" "$journal" build orchestrator build
show orchestrator plan
orchestrator plan | tee "$demo/plan.txt"
grep -q '^build *skip' "$demo/plan.txt" || fail "the images would be built once more"
grep -Eq '^(digests|module|release) +(run|maybe)' "$demo/plan.txt" || fail "it ended before it was killed"
check "the images are remembered, the rest is still to be done"

show make build
second=$(make -s build | tail -n 1)
printf '%s\n' "$second"
[ "${second#*@}" != "${first#*@}" ] || fail "v0.2.0 has the digest of v0.1.0"
orchestrator plan --exit-code >/dev/null || fail "it is not finished"
check "run again, it has finished"

heading "4. Read back, as a Deckhouse cluster does"
show orchestrator status
orchestrator status
command -v crane >/dev/null || printf 'crane is not here: what it would show is read by scripts/readback.py\n'
show "orchestrator registry serve &"
orchestrator registry serve >"$demo/address" 2>/dev/null &
server=$!
for _ in $(seq 200); do [ -s "$demo/address" ] && break; sleep 0.05; done
source=$(cat "$demo/address")
[ -n "$source" ] || fail "the registry does not come up"
printf '%s\n' "$source"

expect() { # WHAT EXPECTED FOUND
  printf '%s\n' "$3"
  [ "$2" = "$3" ] || fail "$1: expected: $2"
}
show "crane ls $source"
expect modules echo "$(tags_of "$source")"
show "crane ls $source/echo"
tags=$(tags_of "$source/echo")
printf '%s\n' "$tags"
[ "$(grep '^v' <<<"$tags")" = $'v0.1.0\nv0.2.0' ] || fail "the versions v0.1.0 and v0.2.0 are expected"
show "crane digest $source/echo:v0.2.0"
expect "the digest that the build printed" "${second#*@}" "$(digest_of "$source/echo:v0.2.0")"
show "crane ls $source/echo/release"
expect releases $'v0.1.0\nv0.2.0' "$(tags_of "$source/echo/release")"
show "crane export $source/echo/release:v0.2.0 - | tar -Oxf - version.json"
expect version.json '{"version":"v0.2.0"}' "$(file_of "$source/echo/release:v0.2.0" version.json)"
show "crane export $source/echo:v0.2.0 - | tar -Oxf - images_digests.json"
digests=$(file_of "$source/echo:v0.2.0" images_digests.json)
printf '%s\n' "$digests"
built=$("$python" -c 'import json, sys
images = json.load(open(".orchestrator/report.json"))["images"]
print(json.dumps({i["name"]: i["digest"] for i in images}, indent=2, sort_keys=True))')
[ "$digests" = "$built" ] || fail "images_digests.json does not name the images that were built: $built"
old=$(file_of "$source/echo:v0.1.0" images_digests.json)
[ "$(grep frontend <<<"$old")" = "$(grep frontend <<<"$digests")" ] || fail "the unchanged frontend was built anew"
[ "$(grep backend <<<"$old")" != "$(grep backend <<<"$digests")" ] || fail "the changed backend was not built"
check "both versions are whole; the unchanged image is shared, the changed one is new"

heading "Done. The module is in .demo/echo; serve it again: .venv/bin/orchestrator registry serve -C .demo/echo"
