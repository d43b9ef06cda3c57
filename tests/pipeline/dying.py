"""Runs the program and kills it with SIGKILL at one point: `dying.py POINT ARGUMENT...`.

POINT is `count` (report the points on a file) or N, the N-th point. Points are: before and after
each journal append, and before and after each registry request that writes.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator import cli
from orchestrator.engine.journal import Journal
from orchestrator.registry import transport

WRITES = ("PUT", "POST", "PATCH", "DELETE")


def main() -> int:
    fatal = sys.argv[1]
    points: list[str] = []

    def point(name: str) -> None:
        points.append(name)
        if fatal == str(len(points)):
            os.kill(os.getpid(), signal.SIGKILL)

    def around(name: Callable[..., str | None], function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            label = name(*arguments)
            if label is None:
                return function(*arguments, **named)
            point(f"before {label}")
            answer = function(*arguments, **named)
            point(f"after {label}")
            return answer

        return wrapped

    def of_journal(_journal: Any, record: Any) -> str:
        return f"journal {record.stage} {record.event}"

    def of_request(_transport: Any, request: Any) -> str | None:
        return f"{request.method}" if request.method in WRITES else None

    Journal.append = around(of_journal, Journal.append)  # type: ignore[method-assign]
    transport.HttpTransport.send = around(  # type: ignore[method-assign]
        of_request, transport.HttpTransport.send
    )
    code = cli.main(sys.argv[2:])
    if fatal == "count":
        Path(os.environ["POINTS"]).write_text("\n".join(points))
    return code


if __name__ == "__main__":
    sys.exit(main())
