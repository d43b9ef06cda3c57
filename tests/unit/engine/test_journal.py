"""The journal survives what a crash, an editor or another version does to it."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.journal import Event, Journal, Record, _encode, lock
from orchestrator.errors import Busy
from orchestrator.process import Command, LocalRunner

HEADER = {"module": "echo", "repository": "r.io/m"}
# In memory where there is such a place: these tests are many and each append is forced to disk.
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def record(stage: str, event: Event = Event.DONE, **more: object) -> Record:
    return Record(stage=stage, event=event, revision=1, fingerprint="sha256:0", **more)  # type: ignore[arg-type]


def written(path: Path, *records: Record) -> bytes:
    journal = Journal.read(path, HEADER, repair=True)
    for each in records:
        journal.append(each)
    return path.read_bytes()


def test_the_last_record_of_each_stage_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path, record("a", Event.STARTED), record("b"), record("a", result={"x": 1}))
    found = Journal.read(path, HEADER).records
    assert {name: each.event for name, each in found.items()} == {"a": Event.DONE, "b": Event.DONE}
    assert found["a"].result == {"x": 1}


def test_a_torn_last_line_is_cut_off_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = written(path, record("a"))
    more = written(path, record("b"))
    for length in range(len(whole), len(more)):
        path.write_bytes(more[:length])
        journal = Journal.read(path, HEADER, repair=True)
        assert set(journal.records) == {"a"}
        journal.append(record("c"))
        assert set(Journal.read(path, HEADER).records) == {"a", "c"}


def test_a_torn_header_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"module":')
    journal = Journal.read(path, HEADER, repair=True)
    journal.append(record("a"))
    assert set(Journal.read(path, HEADER).records) == {"a"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b'"a"', b'"b"', 1),
        lambda data: data.replace(b"\n", b"\nnot a line\n", 1),
        lambda data: b"\xff" + data,
        lambda data: b"[" * 100_000 + b"\n" + data,
        lambda data: data.replace(b"echo", b"other"),
        lambda data: b"\n" + data,
        lambda data: data.replace(b'"schema":1', b'"schema":2'),
        lambda data: data + b"\xff\xfe\n",
        lambda data: data + b'{"stage":"\\ud800","sum":"0"}\n',
        lambda data: data + b"[1]\n",
        lambda data: data + b"1\n",
        lambda data: data + b"9" * 5000 + b"\n",
        lambda data: data[: data.rindex(b'"c"')] + b"\n",
        lambda data: data + _encode({"stage": "a", "event": "ended"}),
        lambda data: data + _encode({"event": "done", "unheard": 1}),
        lambda _data: b"{}\n",
    ],
)
def test_damage_sets_it_aside(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "journal.jsonl"
    data = written(path, record("a"), record("c"))
    path.write_bytes(damage(data))  # type: ignore[operator]
    warnings: list[str] = []
    journal = Journal.read(path, HEADER, repair=True, warn=warnings.append)
    assert journal.records == {}
    assert "set aside as journal.bad" in warnings[0]
    assert path.with_suffix(".bad").exists()
    assert not path.exists()


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    """Whatever one byte becomes: what is read was written, or nothing is read."""
    with tempfile.TemporaryDirectory(dir=FAST) as scratch:
        path = Path(scratch) / "journal"
        whole = {"a": record("a"), "b": record("b", result={"x": "y"}), "c": record("c")}
        sound = written(path, *whole.values())
        at = data.draw(st.integers(0, len(sound) - 1))
        byte = data.draw(st.integers(0, 255))
        path.write_bytes(sound[:at] + bytes([byte]) + sound[at + 1 :])
        found = Journal.read(path, HEADER, repair=True).records
        assert found.items() <= whole.items()
        assert set(found) in (set(), {"a", "b"}, set(whole))


def test_an_empty_file_is_a_fresh_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.touch()
    warnings: list[str] = []
    journal = Journal.read(path, HEADER, repair=True, warn=warnings.append)
    journal.append(record("a"))
    assert not warnings
    assert set(Journal.read(path, HEADER).records) == {"a"}


def test_a_tail_of_zeros_is_cut_off(tmp_path: Path) -> None:
    """What a file system leaves where the power went before the data was written."""
    path = tmp_path / "journal"
    path.write_bytes(written(path, record("a")) + bytes(300))
    assert set(Journal.read(path, HEADER, repair=True).records) == {"a"}
    assert b"\0" not in path.read_bytes()


def test_a_journal_removed_meanwhile_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal.read(path, HEADER, repair=True)
    journal.append(record("a"))
    path.unlink()
    journal.append(record("b"))
    assert set(Journal.read(path, HEADER).records) == {"a", "b"}


def test_reading_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    data = written(path, record("a")) + b"torn"
    path.write_bytes(data)
    assert set(Journal.read(path, HEADER).records) == {"a"}
    path.write_bytes(b"damage\n")
    assert Journal.read(path, HEADER).records == {}
    assert path.read_bytes() == b"damage\n"


def test_another_target_has_no_part_in_it(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path, record("a"))
    assert Journal.read(path, {**HEADER, "repository": "r.io/x"}).records == {}


def test_a_long_journal_is_compacted(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path, *(record("a", result={"n": number}) for number in range(1001)))
    before = path.stat().st_size
    journal = Journal.read(path, HEADER, repair=True)
    assert path.stat().st_size < before / 100
    assert journal.records["a"].result == {"n": 1000}
    assert Journal.read(path, HEADER).records == journal.records


def test_a_full_disk_leaves_a_readable_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    size = len(written(path, record("a")))
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from orchestrator.engine.journal import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 20}, {size + 20}))\n"
        f"journal = Journal.read(Path({str(path)!r}), {HEADER!r}, repair=True)\n"
        "journal.append(Record(stage='b', event=Event.DONE, revision=1, fingerprint='x'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "OSError" in done.stderr
    assert set(Journal.read(path, HEADER, repair=True).records) == {"a"}


def test_after_a_line_that_did_not_fit_the_next_one_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    data = written(path, record("a"))
    child = os.fork()
    if child == 0:
        _append_with_little_room(path, len(data) + 20)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    warnings: list[str] = []
    found = Journal.read(path, HEADER, repair=True, warn=warnings.append).records
    assert not warnings
    assert {name: each.event for name, each in found.items()} == {
        "a": Event.DONE,
        "b": Event.FAILED,
    }


def _append_with_little_room(path: Path, room: int) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal = Journal.read(path, HEADER, repair=True)
    most = resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
    try:
        journal.append(record("b", Event.STARTED))
        os._exit(1)
    except OSError:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        journal.append(record("b", Event.FAILED))
        os._exit(0)
    finally:
        os._exit(2)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(list(Event)), st.text(max_size=5)),
        min_size=1,
        max_size=12,
    )
)
def test_what_is_appended_is_read(rows: list[tuple[str, Event, str]]) -> None:
    with tempfile.TemporaryDirectory(dir=FAST) as scratch:
        path = Path(scratch) / "journal"
        records = [record(stage, event, error=text) for stage, event, text in rows]
        written(path, *records)
        assert Journal.read(path, HEADER).records == {each.stage: each for each in records}


def test_the_lock_names_its_holder(tmp_path: Path) -> None:
    with (
        lock(tmp_path / "lock", command="the first"),
        pytest.raises(Busy, match=rf"pid {os.getpid()} on .*, the first"),
        lock(tmp_path / "lock", command="the second"),
    ):
        pass


def test_a_dead_holder_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom orchestrator.engine.journal import lock\n"
        f"with lock(Path({str(path)!r}), command='x'):\n print('held', flush=True)\n time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        with pytest.raises(Busy, match=f"pid {child.pid}"), lock(path, command="y"):
            pass
        child.send_signal(signal.SIGKILL)
    with lock(path, command="y"):
        pass


def test_no_child_inherits_the_lock(tmp_path: Path) -> None:
    """A daemon that a tool leaves behind must not keep the next run out."""
    path = tmp_path / "lock"
    with lock(path, command="x"):
        leave = Command(argv=("sh", "-c", f"setsid sleep 20 >&- 2>&- & echo $! > {tmp_path}/pid"))
        LocalRunner(os.environ).run(leave)
    try:
        with lock(path, command="y"):
            pass
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
