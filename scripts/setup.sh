#!/usr/bin/env bash
# Prepare this checkout: system tools and .venv. Safe to run again; fast when nothing changed.
#   scripts/setup.sh        what the demo needs
#   scripts/setup.sh dev    … and what the tests need
#   scripts/setup.sh docs   … and what the documentation needs
set -euo pipefail
cd "$(dirname "$0")/.."
extra=${1:-}
venv=.venv

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 69; }
have() { command -v "$1" >/dev/null 2>&1; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

static_busybox() { have busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1; }

# A version manager may put a python3 on PATH that is too old or only a shim: try each.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  return 1
}

system_tools() {
  local missing=() why=()
  need() { missing+=("$1"); why+=("  $1: $2"); }
  have git || need git "modules are read from git"
  have buildah || need buildah "builds application images where there is no werf"
  have docker-registry || need docker-registry "the local registry of the demo and the tests"
  static_busybox || need busybox-static "the root file system of the demo module's images"
  have make || need make "runs the targets of the Makefile"
  [ -e /etc/ssl/certs/ca-certificates.crt ] || need ca-certificates "TLS to package indexes and registries"
  find_python >/dev/null || { need python3 "3.11 or newer"; need python3-venv "an environment of its own"; }
  [ ${#missing[@]} -gt 0 ] || return 0

  if ! have apt-get; then
    say "please install with your package manager:"
    printf '%s\n' "${why[@]}" >&2
    exit 69
  fi
  say "installing with apt-get:"
  printf '%s\n' "${why[@]}" >&2
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "${missing[@]}"
  if [[ " ${missing[*]} " == *" docker-registry "* ]]; then
    say "the docker-registry package starts a service on port 5000: stopped, only its program is used"
    if [ -d /run/systemd/system ]; then
      as_root systemctl disable --now docker-registry || say "could not disable it; it does no harm"
    elif [ -x /etc/init.d/docker-registry ]; then
      as_root /etc/init.d/docker-registry stop >/dev/null 2>&1 || true
    fi
  fi
}

environment() {
  local python
  python=$(find_python) || die "no Python 3.11 or newer with venv was found; set PYTHON=/path/to/python3"
  # The path counts too: an environment does not survive being moved.
  local base
  base=$(printf '%s\n' "$PWD" "$("$python" -c 'import sys; print(sys.version)')" | sha256sum)
  if [ "$(cat "$venv/.base" 2>/dev/null)" != "$base" ]; then
    say "creating $venv with $("$python" -V)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    printf '%s\n' "$base" >"$venv/.base"
  fi
}

# pip runs only when the stamp of a step differs from the hash of what the step depends on.
step() {
  local stamp=$venv/.stamp-$1 hash=$2
  shift 2
  if [ "$(cat "$stamp" 2>/dev/null)" = "$hash" ]; then return 0; fi
  "$venv/bin/python" -m pip install -q --disable-pip-version-check "$@"
  printf '%s\n' "$hash" >"$stamp"
}

packages() {
  local wanted sources
  wanted=$(sha256sum <pyproject.toml)
  sources=$(find orchestrator templates README.md pyproject.toml -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  step base "$wanted" "hatchling>=1.25" .
  [ -z "$extra" ] || step "$extra" "$wanted" ".[$extra]"
  # Not editable: modules are compiled once, here, and start-up time is what users get.
  step package "$sources" --no-deps --no-build-isolation --force-reinstall .
}

# Tests compare what we publish with what crane reads; they skip that where it is missing.
install_crane() {
  [ "$extra" = dev ] || return 0
  if have crane || [ -x "$venv/bin/crane" ]; then return 0; fi
  if ! have go; then
    say "Go is not here: tests that compare with crane are skipped"
    return 0
  fi
  say "building crane with Go"
  GOBIN=$PWD/$venv/bin go install github.com/google/go-containerregistry/cmd/crane@v0.20.2 >&2 ||
    say "crane could not be built: tests that compare with crane are skipped"
}

system_tools
environment
packages
install_crane
