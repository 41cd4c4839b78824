"""What a hostile or slow client meets, on real connections."""

import socket
import time
from urllib.parse import urlsplit

import pytest


@pytest.fixture
def patience():
    return 1.0


@pytest.fixture
def connect(served):
    """``connect()`` opens a connection; ``connect.head`` is a request's head but for its last line."""
    url = urlsplit(served[0])

    def open_one():
        return socket.create_connection((url.hostname, url.port), timeout=20)

    return open_one


def reply(connection):
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


HEAD = b"POST /v1/recommend/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
BODY = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n\r\n'


def test_a_body_that_says_it_is_too_large_is_refused_unread(connect):
    with connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 99999999\r\n\r\n")
        assert reply(connection).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_grows_too_large_is_refused_while_it_comes(connect):
    with connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            for data in [BODY, *([b"x" * 50_000] * 200)]:
                connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))
                sent += len(data)
                time.sleep(0.005)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 5_000_000


def test_a_body_of_another_type_is_refused_unread(connect):
    with connect() as connection:
        connection.sendall(
            HEAD.replace(b"multipart/form-data; boundary=b", b"image/jpeg") + b"Content-Length: 5000\r\n\r\n"
        )
        answer = reply(connection)
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert b"connection: close" in answer.lower()


def test_a_token_is_asked_for_before_any_of_a_body_is_read(connect):
    with connect() as connection:
        connection.sendall(HEAD.replace(b"/recommend/upload", b"/items") + b"Content-Length: 5000\r\n\r\n")
        answer = reply(connection)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"www-authenticate: bearer" in answer.lower()


def test_a_body_that_stops_is_not_waited_for(connect):
    with connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 5000\r\n\r\n" + BODY)
        assert reply(connection).startswith(b"HTTP/1.1 408 ")


def test_a_head_that_stops_is_hung_up_on(connect):
    with connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        assert reply(connection) == b""
    with connect() as connection:
        assert reply(connection) == b""


@pytest.mark.parametrize(
    "target",
    [
        b"/page/..%2f..%2f..%2f..%2fetc%2fpasswd",
        b"/page//etc/passwd",
        b"/page/%00",
        b"/../../etc/passwd",
        b"//etc/passwd",
        b"/v1/items/%2e%2e%2f%2e%2e%2fcurrent/thumbnail",
        b"/v1/items/../../../etc/passwd",
        b"/v1/items/..%2f..%2f..%2fetc%2fpasswd%00.jpg",
        b"/v1/items?release=%2e%2e%2f%2e%2e",
        b"/v1/items/" + b"a" * 20_000,
    ],
)
def test_no_path_leads_out(connect, target):
    with connect() as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = reply(connection)
    assert answer.split(b" ")[1] in (b"400", b"404", b"422"), answer[:200]
    assert b"root:" not in answer


@pytest.mark.parametrize(("target", "status"), [(b"/healthz", b"200"), (b"/v1/items/x", b"404"), (b"/", b"200")])
def test_only_the_head_of_an_answer(connect, target, status):
    with connect() as connection:
        for _ in range(2):
            connection.sendall(b"HEAD " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
            assert head.split(b" ")[1] == status
            assert int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) > 0
            assert body == b""


def test_a_keep_alive_connection_outlives_the_patience(connect):
    with connect() as connection:
        for _ in range(2):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            time.sleep(1.2)
