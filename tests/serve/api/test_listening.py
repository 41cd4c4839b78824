"""Several workers at one address: each gets its part of the connections."""

import socket

from nitari.serve.api.listening import beside


def test_connections_spread_over_sockets_of_one_address():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        workers = [beside(bound) for _ in range(2)]
        for worker in workers:
            worker.listen(100)
        asking = [socket.create_connection(bound.getsockname()) for _ in range(60)]
        taken = []
        for worker in workers:
            assert worker.getsockname() == bound.getsockname()
            count = 0
            while True:
                try:
                    worker.accept()[0].close()
                except BlockingIOError:
                    break
                count += 1
            taken.append(count)
        assert sum(taken) == 60
        assert min(taken) > 5
        for one in (*workers, *asking):
            one.close()


def test_where_the_address_cannot_be_shared_the_socket_itself_is():
    with socket.socket() as bound, socket.socket() as other:
        bound.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = other.getsockname()

        class Elsewhere:
            family, type, setsockopt = other.family, other.type, bound.setsockopt

            def getsockname(self):
                return address

        elsewhere = Elsewhere()
        assert beside(elsewhere) is elsewhere
