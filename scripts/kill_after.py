"""Run a command and kill it, as a power cut would, once the journal says that a stage is done.

kill_after.py JOURNAL STAGE COMMAND...   exit code 0: killed in time; 1: it had ended before.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    journal, stage, *command = sys.argv[1:]
    path = Path(journal)
    seen = path.stat().st_size
    with subprocess.Popen(command) as child, path.open("rb") as stream:
        stream.seek(seen)
        while child.poll() is None:
            line = stream.readline()
            if not line.endswith(b"\n"):
                stream.seek(-len(line), os.SEEK_CUR)
                time.sleep(0.0005)
                continue
            record = json.loads(line)
            if record.get("stage") == stage and record.get("event") == "done":
                child.send_signal(signal.SIGKILL)
                break
        code = child.wait()
    print(f"ended with {code}", file=sys.stderr)
    return 0 if code == -signal.SIGKILL else 1


if __name__ == "__main__":
    sys.exit(main())
