"""Who holds connections, sends slowly, asks much or sends much keeps nobody else from an answer."""
import concurrent.futures
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from client import Server  # noqa: E402

LATE_S = 30  # a request's head, and its body
JSON = {"Content_Type": "application/json"}


def set_up():
    global SERVER, BASE
    run = os.path.join(FOLDER, "run.keylight")
    tap.succeed("train", "--data", "strokes", "--hidden", "300,200", "--steps", "400", "--batch", "100", "--output", run, "--quiet")
    SERVER = Server(run)
    BASE = f"/api/v1/runs/{SERVER.json('/api/v1/runs')['runs'][0]['id']}"


def tear_down():
    if SERVER:
        SERVER.stop()


SLOW, ENDED = [], []


def drip(beginning):
    """A byte a second, for ever: how long until the server hangs up."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", SERVER.port), timeout=1) as client:
        client.sendall(beginning)
        while time.monotonic() - begun < 3 * LATE_S:
            try:
                client.sendall(b"a")
                if client.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    ENDED.append(time.monotonic() - begun)


def test_idle_connections_give_way():
    held = [socket.create_connection(("127.0.0.1", SERVER.port), timeout=10) for _ in range(300)]
    for client in held[::2]:
        try:
            client.sendall(b"GET / HTTP/1.1\r\n")
        except OSError:
            pass  # it has given way already
    begun = time.monotonic()
    for _ in range(10):
        assert SERVER.ask("/api/v1/runs")[0] == 200
    print(f"# beside 300 idle connections 10 answers in {time.monotonic() - begun:.3f} s")
    for client in held:
        client.close()


def test_a_question_that_is_being_answered_does_not():
    for beginning in (b"GET / HTTP/1.1\r\nX: ", f"POST {BASE}/attention HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n".encode()):
        SLOW.append(threading.Thread(target=drip, args=(beginning,)))  # for the last test
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        asked = [clients.submit(SERVER.ask, f"{BASE}/attention?sample={sample}&rank=effect&views=samples") for sample in range(40)]
        held = [socket.create_connection(("127.0.0.1", SERVER.port), timeout=10) for _ in range(300)]
        assert [each.result()[0] for each in asked] == [200] * 40
    for client in held:
        client.close()
    for thread in SLOW:
        thread.start()


def hammer(number, until):
    connection, done = SERVER.connect(), 0
    while time.monotonic() < until:
        connection.request("GET", f"{BASE}/attention?sample={(number * 97 + done) % 6000}&rank=effect")
        response = connection.getresponse()
        response.read()
        assert response.status == 200, response.status
        done += 1
    connection.close()
    return done


def flood(number, until):
    """Each question on a connection of its own; too many are told to come again."""
    said = {200: 0, 503: 0}
    while time.monotonic() < until:
        said[SERVER.ask(f"{BASE}/attention?sample={(number * 97 + sum(said.values())) % 6000}&rank=effect")[0]] += 1
    return said[200]


def is_answered_beside(clients_do, how_many, what):
    """Somebody who has been here before, on the same connection, and somebody new."""
    seconds = 8
    kept = SERVER.connect()
    with concurrent.futures.ThreadPoolExecutor(how_many) as clients:
        busy = [clients.submit(clients_do, number, time.monotonic() + seconds) for number in range(how_many)]
        time.sleep(1)
        waits = []
        for sample in range(10):
            for one in (kept, SERVER.connect()):
                begun = time.monotonic()
                one.request("GET", f"{BASE}/attention?sample={6000 - 1 - sample}")
                response = one.getresponse()
                response.read()
                waits.append(time.monotonic() - begun)
                assert response.status == 200, response.status
        done = [each.result() for each in busy]
    kept.close()
    print(f"# beside {how_many} {what} one waits {sorted(waits)[len(waits) // 2]:.3f} s, {max(waits):.3f} at most; they got {sum(done) / seconds:.0f} answers a second")
    assert min(done) > 0 and max(waits) < 10


def test_busy_clients_leave_a_turn_to_others():
    is_answered_beside(hammer, 32, "busy clients")


def test_a_flood_of_new_connections_leaves_a_turn_to_others():
    is_answered_beside(flood, 60, "clients with a connection for each question")


def resident():
    with open(f"/proc/{SERVER.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def test_large_bodies_take_little_memory():
    with open(f"/proc/{SERVER.process.pid}/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    before = resident()
    bodies = ['{"pixels": [' + "0," * 40000 + "0]}", '{"pixels": [' + "0," * 500000 + "0]}", json.dumps({"pixels": [0] * 784, "rank": "x" * 1000000})]
    with concurrent.futures.ThreadPoolExecutor(32) as clients:
        said = list(clients.map(lambda i: SERVER.ask(f"{BASE}/attention", "POST", bodies[i % 3], **JSON)[0], range(96)))
    assert set(said) == {400, 413}, said
    took = resident() - before
    print(f"# 96 bodies of up to 1 MiB by 32 clients took {took:.0f} MB more at most")
    assert "sanitize" in os.environ.get("KEYLIGHT_BUILD", "") or took < 300, took


def test_a_request_has_to_come_in_time():
    for thread in SLOW:
        thread.join()
    assert all(LATE_S - 1 < seconds < 2 * LATE_S for seconds in ENDED), ENDED


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
