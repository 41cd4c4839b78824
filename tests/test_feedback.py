import json
import logging
import os
import signal
import subprocess
import sys
import threading

import pytest

from nitari import feedback
from nitari.collection import Collection
from nitari.errors import QueryError
from nitari.feedback import EVENTS, Feedback

CLICK = {"event": "clicked", "item_id": "a" * 16, "query": "q1", "rank": 3, "arm": "r1", "session": "s"}


@pytest.fixture
def log(tmp_path) -> Feedback:
    return Feedback(Collection(tmp_path, "shoes"))


def test_events_come_back_with_when(log):
    assert list(log.read()) == []
    events = [CLICK, {"event": "liked", "item_id": "b", "query": "ü"}, *({"event": e, "item_id": "c"} for e in EVENTS)]
    assert log.append(events) == 6
    assert log.append([CLICK]) == 1
    found = list(log.read())
    assert all(event.pop("when").endswith("+00:00") for event in found)
    assert found[0] == found[6] == CLICK
    assert found[1] == {"event": "liked", "item_id": "b", "query": "ü", "rank": None, "arm": None, "session": None}
    assert [event["event"] for event in found[2:6]] == list(EVENTS)
    assert len(list(log.folder.iterdir())) == 1


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("click", r"events\[1\] is 'click'"),
        ({**CLICK, "event": "bought"}, r"events\[1\]\.event is 'bought'. Give one of: shown, clicked"),
        ({"item_id": "a"}, r"events\[1\]\.event is missing"),
        ({"event": "shown"}, r"events\[1\]\.item_id is missing"),
        ({**CLICK, "item_id": "a" * 17}, r"\.item_id is 'aaaaaaaaaaaaaaaaa'. Give text of 1 to 16"),
        ({**CLICK, "item_id": ""}, r"\.item_id is ''"),
        ({**CLICK, "item_id": 7}, r"\.item_id is 7"),
        ({**CLICK, "query": "x" * 257}, r"\.query is 'x{59}…. Give text of 1 to 256"),
        ({**CLICK, "session": "a\nb"}, r"\.session is"),
        ({**CLICK, "session": "\ud800"}, r"\.session is"),
        ({**CLICK, "arm": ["r"]}, r"\.arm is \['r'\]"),
        ({**CLICK, "rank": -1}, r"\.rank is -1"),
        ({**CLICK, "rank": 1.5}, r"\.rank is 1.5"),
        ({**CLICK, "rank": True}, r"\.rank is True"),
        ({**CLICK, "rank": 10**9}, r"\.rank is 1000000000"),
        ({**CLICK, "price": 1}, r"has a field 'price'"),
    ],
)
def test_a_bad_event_is_named_and_none_is_logged(log, event, message):
    with pytest.raises(QueryError, match=message):
        log.append([CLICK, event])
    assert list(log.read()) == []


@pytest.mark.parametrize("count", [0, 1001])
def test_calls_have_a_size(log, count):
    with pytest.raises(QueryError, match=f"There are {count} events"):
        log.append([CLICK] * count)


def test_half_a_line_and_damage_are_passed_over(log, caplog):
    log.append([CLICK])
    file = next(log.folder.iterdir())
    with file.open("ab") as out:
        out.write(b'{"event": "clicked", "it')
    assert len(list(log.read())) == 1
    assert Feedback.append(Feedback(Collection(log.folder.parents[1], "shoes")), [CLICK, CLICK]) == 2
    with caplog.at_level(logging.WARNING):
        assert len(list(log.read())) == 3
    assert caplog.text == ""
    with file.open("ab") as out:
        out.write(b'\n7\n{"event": "seen", "item_id": "a"}\n' + json.dumps(CLICK).encode() + b"\n")
    with caplog.at_level(logging.WARNING):
        assert len(list(log.read())) == 4
    assert "3 lines of" in caplog.text


def test_full_files_are_followed_by_another(log, monkeypatch):
    monkeypatch.setattr(feedback, "ROTATE", 400)
    for rank in range(10):
        log.append([{**CLICK, "rank": rank}])
    assert len(list(log.folder.iterdir())) > 2
    assert [event["rank"] for event in log.read()] == list(range(10))


def test_a_write_that_fails_spoils_nothing(log, monkeypatch):
    log.append([CLICK])
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:20]))
        with pytest.raises(OSError, match="20 of"):
            log.append([CLICK])
    log.append([CLICK])
    assert len(list(log.read())) == 2


def test_threads_share_a_file(log):
    def run():
        for _ in range(20):
            log.append([CLICK, CLICK])

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(log.read())) == 160
    assert len(list(log.folder.iterdir())) == 1


def test_what_was_answered_is_there_after_a_kill(log):
    code = (
        "import sys; from nitari.collection import Collection; from nitari.feedback import Feedback\n"
        "log = Feedback(Collection(sys.argv[1], 'shoes'))\n"
        "while True: print(log.append([{'event': 'shown', 'item_id': 'a'}] * 5), flush=True)"
    )
    words = [sys.executable, "-c", code, str(log.folder.parents[1])]
    processes = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answered = sum(int(process.stdout.readline()) for process in processes for _ in range(10))
    for process in processes:
        process.send_signal(signal.SIGKILL)
        answered += sum(map(int, process.stdout.read().split()))
        process.wait()
        process.stdout.close()
    assert len(list(log.read())) >= answered > 0
    assert len(list(log.folder.iterdir())) == 2


def test_a_forked_process_writes_its_own_file(log):
    log.append([CLICK])
    log._process -= 1  # as a child sees it
    log.append([CLICK])
    assert len(list(log.folder.iterdir())) == 2
