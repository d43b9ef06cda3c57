"""A stand-in for kubectl 1.32 that behaves as recorded against an API server: texts, exit codes.

Objects lie in $KUBECTL_STATE/objects, each call's arguments in $KUBECTL_STATE/calls, one JSON a line.
$KUBECTL_FAILS names a failure.
"""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import yaml

STATE = Path(os.environ["KUBECTL_STATE"])
SERVER = "127.0.0.1:6443"
NOISE = (
    'E1121 07:35:24.783326   19430 memcache.go:265] "Unhandled Error" err="couldn\'t get current server '
    'API group list: {why}"\n'
)
REFUSED = f'Get "http://{SERVER}/api?timeout=32s": dial tcp {SERVER}: connect: connection refused'
LOGIN = "the server has asked for the client to provide credentials"
VALIDATION = (
    'error: error validating "STDIN": error validating data: failed to download openapi: {why}; if you '
    "choose to ignore these errors, turn validation off with --validate=false\n"
)


def fail(text: str) -> NoReturn:
    sys.stderr.write(text)
    sys.exit(1)


def plural(kind: str) -> str:
    return f"{kind.lower()}s.deckhouse.io"


def refuse(failure: str, verb: str, plural_: str, name: str, stdin: str) -> None:
    kind = plural_.partition(".")[0]
    forbidden = (
        f'{plural_} "{name}" is forbidden: User "dev" cannot get resource "{kind}" in API group '
        '"deckhouse.io" at the cluster scope\n'
    )
    match failure, verb:
        case "no-context", _:
            fail("Error in configuration: context was not found for specified context: nope\n")
        case "no-config", _:
            fail(
                "The connection to the server localhost:8080 was refused - did you specify the right "
                "host or port?\n"
            )
        case "refused", "apply":
            fail(VALIDATION.format(why=REFUSED.replace("/api?", "/openapi/v2?")))
        case "refused", _:
            why = REFUSED.replace('"', '\\"')
            fail(
                NOISE.format(why=why)
                * 5
                + f"The connection to the server {SERVER} was refused - did "
                "you specify the right host or port?\n"
            )
        case "dns", _:
            fail(
                "Unable to connect to the server: dial tcp: lookup nowhere.invalid on 10.0.0.1:53: no "
                "such host\n"
            )
        case "unauthorized", "apply":
            fail(VALIDATION.format(why=LOGIN))
        case "unauthorized", _:
            fail(
                NOISE.format(why=LOGIN) * 5
                + f"error: You must be logged in to the server ({LOGIN})\n"
            )
        case "no-crd", "apply":
            value = yaml.safe_load(stdin)
            fail(
                f'error: resource mapping not found for name: "{name}" namespace: "" from "STDIN": no '
                f'matches for kind "{value["kind"]}" in version "{value["apiVersion"]}"\n'
                "ensure CRDs are installed first\n"
            )
        case "no-crd", _:
            fail(f'error: the server doesn\'t have a resource type "{kind}"\n')
        case "forbidden", "apply":
            fail(
                "Error from server (Forbidden): error when retrieving current configuration of:\n"
                f'Name: "{name}", Namespace: ""\nfrom server for: "STDIN": {forbidden}'
            )
        case "forbidden", _:
            fail(f"Error from server (Forbidden): {forbidden}")
        case "webhook", "apply":
            fail(
                'Error from server: error when creating "STDIN": admission webhook '
                '"modules.deckhouse-webhook.deckhouse.io" denied the request: no\n'
            )
        case "invalid", "apply":
            # kubectl prints the patch that the server would not take, with all that is in it.
            fail(
                "Error from server (BadRequest): error when applying patch:\n"
                f'{json.dumps(yaml.safe_load(stdin))}\nfor: "STDIN": The object is invalid\n'
            )


def apply(stdin: str) -> None:
    value = yaml.safe_load(stdin)
    path = STATE / "objects" / f"{plural(value['kind'])}.{value['metadata']['name']}"
    before = json.loads(path.read_text()) if path.exists() else None
    same = before is not None and before["spec"] == value["spec"]
    word = "created" if before is None else "unchanged" if same else "configured"
    path.write_text(json.dumps({**(before or {}), **value, "spec": value["spec"]}))
    if value["apiVersion"] == "deckhouse.io/v1alpha1" and value["kind"] == "ModulePullOverride":
        sys.stderr.write("Warning: deckhouse.io/v1alpha1 ModulePullOverride is deprecated\n")
    print(f"{value['kind'].lower()}.deckhouse.io/{value['metadata']['name']} {word}")


def annotate(path: Path, plural_: str, name: str, marks: list[str]) -> None:
    if not path.exists():
        fail(f'Error from server (NotFound): {plural_} "{name}" not found\n')
    value = json.loads(path.read_text())
    there = value["metadata"].setdefault("annotations", {})
    for mark in marks:
        key, equals, text = mark.partition("=")
        if not equals:
            there.pop(key.removesuffix("-"), None)
        elif key in there:
            fail(
                "error: --overwrite is false but found the following declared annotation(s): "
                f"'{key}' already has a value ({there[key]})\n"
            )
        else:
            there[key] = text
    path.write_text(json.dumps(value))
    print(f"{plural_.partition('.')[0].removesuffix('s')}.deckhouse.io/{name} annotated")


def main() -> None:
    arguments = sys.argv[1:]
    stdin = sys.stdin.read()
    (STATE / "objects").mkdir(parents=True, exist_ok=True)
    with (STATE / "calls").open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    if arguments[:1] == ["--context"]:
        arguments = arguments[2:]
    verb, *rest = arguments
    if verb == "apply":
        assert rest == ["-f", "-"], rest
        value = yaml.safe_load(stdin)
        refuse(
            os.environ.get("KUBECTL_FAILS", ""),
            verb,
            plural(value["kind"]),
            value["metadata"]["name"],
            stdin,
        )
        apply(stdin)
        return
    plural_, name, *rest = rest
    refuse(os.environ.get("KUBECTL_FAILS", ""), verb, plural_, name, stdin)
    path = STATE / "objects" / f"{plural_}.{name}"
    if verb == "annotate":
        annotate(path, plural_, name, rest)
        return
    assert (verb, rest) == ("get", ["-o", "json", "--ignore-not-found"]), arguments
    if path.exists():
        print(json.dumps(json.loads(path.read_text()), indent=4))


main()
