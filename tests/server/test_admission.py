"""Who is let in by the server, and what is refused, in words, without harm to anybody else."""
import json
import os
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from client import Server  # noqa: E402

RUN = None
SERVER = None


def set_up():
    global RUN, SERVER
    RUN = tap.train_strokes(FOLDER)
    SERVER = Server(RUN, tap.train_strokes(FOLDER, "second.keylight", "--seed", "9"))


def tear_down():
    if SERVER and SERVER.process.poll() is None:
        SERVER.process.kill()


def base():
    return "/api/v1/runs/" + SERVER.json("/api/v1/runs")["runs"][0]["id"]


def test_security_headers_are_on_every_answer():
    for path in ("/", "/r/x", "/assets/page.css", base(), "/api/v1/nothing", "/nothing"):
        headers = SERVER.ask(path)[1]
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers


def test_other_hosts_and_other_sites_are_refused():
    for path in ("/", base()):
        SERVER.problem(path, 421, Host="evil.example")
        assert SERVER.ask(path, Host="localhost:1")[0] == 200
    body = json.dumps({"pixels": [0] * 784})
    path = f"{base()}/attention"
    SERVER.problem(path, 415, method="POST", body=body)
    SERVER.problem(path, 415, method="POST", body=body, Content_Type="text/plain")
    SERVER.problem(path, 403, method="POST", body=body, Content_Type="application/json", Sec_Fetch_Site="cross-site")
    SERVER.problem(path, 403, method="POST", body=body, Content_Type="application/json", Origin="http://evil.example")
    good = {"Content_Type": "application/json", "Sec_Fetch_Site": "same-origin",
            "Origin": f"http://127.0.0.1:{SERVER.port}"}
    assert SERVER.ask(path, "POST", body, **good)[0] == 200


def test_hostile_bodies_are_refused_in_words():
    path, headers = f"{base()}/attention", {"Content_Type": "application/json"}
    pixels = [0] * 784
    for body, status, parameter in (
            ("", 400, "pixels"), ("[]", 400, "pixels"), ("{", 400, "pixels"), ("[" * 5000, 400, "pixels"),
            ('{"pixels": []}', 400, "pixels"), (json.dumps({"pixels": pixels[1:]}), 400, "pixels"),
            (json.dumps({"pixels": pixels[1:] + [256]}), 400, "pixels"),
            (json.dumps({"pixels": pixels[1:] + ["1"]}), 400, "pixels"),
            (json.dumps({"pixels": pixels, "layer": 9}), 400, "layer"),
            (json.dumps({"pixels": pixels, "layer": 1e300}), 400, "layer"),
            (json.dumps({"pixels": pixels, "rank": {}}), 400, "rank"),
            (json.dumps({"pixels": pixels, "shoe": 1}), 400, "shoe"),
            (json.dumps({"pixels": pixels, "dataset": "mnist"}), 400, "dataset"),
            ("x" * (2 << 20), 413, None)):
        SERVER.problem(path, status, parameter, method="POST", body=body, **headers)
    SERVER.problem(base(), 405, method="POST", body="{}", **headers)
    SERVER.problem("/", 405, method="POST", body="{}", **headers)
    SERVER.problem(base(), 405, method="DELETE")
    SERVER.problem(base(), 405, method="OPTIONS")


def test_broken_requests_do_not_end_the_server():
    for raw in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n",
                b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nshort"):
        with socket.create_connection(("127.0.0.1", SERVER.port), timeout=5) as client:
            try:
                client.sendall(raw)
                client.shutdown(socket.SHUT_WR)
                answer = client.recv(100)
            except OSError:  # the server may hang up on such a client at any time
                answer = b""
            assert b" 200 " not in answer, raw[:40]
    assert SERVER.ask("/")[0] == 200


def test_behind_a_proxy_links_and_posts_are_right():
    server = Server(RUN, "--public-url", "https://lab.example:8443/users/ada/")
    try:
        assert "https://lab.example:8443/users/ada/" in server.line
        for prefix in ("", "/users/ada"):  # taken away by the proxy, or left on
            status, _, page = server.ask(f"{prefix}/r/abc/q/3", Host="lab.example:8443")
            assert status == 200 and b'src="./../../../assets/main.js"' in page and b'="/' not in page
            status, _, _ = server.ask(f"{prefix}/assets/main.js", Host="lab.example")
            assert status == 200
            body = json.dumps({"pixels": [0] * 784})
            path = f"{prefix}{base()}/answer"
            for origin, expected in (("https://lab.example:8443", 200), ("https://evil.example", 403), ("null", 403)):
                status, _, content = server.ask(path, "POST", body, Host="lab.example:8443", Origin=origin,
                                                Content_Type="application/json")
                assert status == expected, (origin, content[:200])
            assert b"--public-url" in content
        assert server.ask("/", Host="evil.example")[0] == 421
    finally:
        server.stop()
    server = Server(RUN, "--public-url", "https://Lab.Example:443/kl/", "--token", "secret-of-this-test")
    try:  # the proxy tells its own name
        status, headers, _ = server.ask("/?token=secret-of-this-test")
        assert status == 303 and headers["Set-Cookie"].endswith("; Path=/kl/; Secure"), headers
        status, _, content = server.ask(f"{base()}/answer", "POST", json.dumps({"pixels": [0] * 784}), Origin="https://lab.example",
                                        Authorization="Bearer secret-of-this-test", Content_Type="application/json")
        assert status == 200, content
    finally:
        server.stop()
    for bad in ("lab.example", "ftp://lab.example", "https://", "https://a b", "https://a/?q", "https://a:port", "https://[::1",
                "https://a:99999", "https://[<x>]", "https://a//b", "https://a/../b", "https://a/./b", "https://a/%2e%2e/b", "https://a:0"):
        done = tap.run("serve", RUN, "--public-url", bad)
        assert done.returncode == 2 and "--public-url is the address" in done.stderr, (bad, done)


def test_loopback_of_ipv6_needs_no_token():
    for address in ("::1", "[::1]"):
        server = Server(RUN, "--bind", address)
        assert "http://[::1]:" in server.line, server.line
        server.stop()


def test_only_named_origins_may_frame_the_page():
    server = Server(RUN, "--allow-frame", "http://LocalHost:8888", "--allow-frame", "https://lab.example")
    try:
        for path in ("/", "/api/v1/runs"):
            policy = server.ask(path)[1]["Content-Security-Policy"]
            assert "frame-ancestors http://localhost:8888 https://lab.example;" in policy, policy
    finally:
        server.stop()
    for origin in ("*", "localhost", "http://a.example/path", "http://a.example;script-src *", "http://a b"):
        assert "--allow-frame is a scheme" in tap.run("serve", RUN, "--allow-frame", origin).stderr, origin


def test_a_head_of_64_kilobytes_is_read():
    status, _, _ = SERVER.ask("/r/abc?text=" + "%e4" * 6000, Cookie="other=" + "x" * 45000)
    assert status == 200


def test_a_token_is_asked_for_and_becomes_a_cookie():
    server = Server(RUN, "--bind", "0.0.0.0", "--token", "open-sesame", "--allow-host", "lab.example")
    try:
        assert "?token=open-sesame" in server.line
        assert server.ask("/")[0] == 401
        assert server.ask("/?token=wrong")[0] == 401
        for path, location in (("/r/abc/q/3?layer=1&token=open-sesame&rank=logit%3A3", "./3?layer=1&rank=logit:3"),
                               ("//evil.example/?token=open-sesame", "./"), ("/?token=open-sesame", "./"),
                               ("/r/%0d%0aX:1?token=open-sesame", "./%0D%0AX:1")):
            status, headers, _ = server.ask(path)
            assert status == 303 and headers["Location"] == location, (path, headers["Location"])
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert server.ask("/", Cookie=cookie.split(";")[0])[0] == 200
        assert server.ask("/", Authorization="Bearer open-sesame", Host="lab.example")[0] == 200
        assert server.ask("/", Authorization="Bearer open-sesame", Host="evil.example")[0] == 421
        assert server.ask("/", Authorization="Bearer open")[0] == 401
    finally:
        server.stop()


def test_the_token_stands_in_a_file_and_a_refusal_says_how():
    secret = os.path.join(FOLDER, "secret")
    with open(secret, "w") as file:
        file.write("open-sesame-42\nother\n")
    server = Server(RUN, "--token-file", secret)
    try:
        status, headers, _ = server.ask("/")
        assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer"), headers
        for scheme in ("Bearer", "bearer", "BEARER"):
            assert server.ask("/", Authorization=f"{scheme} open-sesame-42")[0] == 200
    finally:
        server.stop()
    with open(secret, "w") as file:
        file.write("short\n")
    for path, says in ((secret, "no secret"), (secret + ".none", "cannot read"), ("/dev/zero", "no regular file")):
        done = tap.run("serve", RUN, "--token-file", path)
        assert done.returncode != 0 and says in done.stderr and done.stderr.count("\n") == 1, done


def test_what_could_be_read_in_two_ways_is_refused():
    def answer(head, body=b""):
        with socket.create_connection(("127.0.0.1", SERVER.port), timeout=5) as client:
            client.sendall(head.replace("\n", "\r\n").encode() + body)
            client.shutdown(socket.SHUT_WR)
            received = b""
            while piece := client.recv(65536):
                received += piece
            return int(received.split(b" ")[1]) if received else None

    host = f"Host: localhost:{SERVER.port}\n"
    assert answer(f"GET /api/v1/runs HTTP/1.1\n{host}Connection: close\n\n") == 200
    assert answer(f"GET /api/v1/runs HTTP/1.1\n{host}{host}Connection: close\n\n") == 400
    assert answer(f"GET /api/v1/runs HTTP/1.1\n{host}Host: evil.example\nConnection: close\n\n") == 400
    assert answer(f"GET /api/v1/runs%00x HTTP/1.1\n{host}Connection: close\n\n") == 400
    run = SERVER.json("/api/v1/runs")["runs"][0]["id"]
    post = f"POST /api/v1/runs/{run}/marks HTTP/1.1\n{host}Content-Type: application/json\nConnection: close\n"
    assert answer(post + "Content-Length: 2\nContent-Length: 4\n\n", b"{}{}") == 400
    for kind in ("answer", "marks"):
        status, _, _ = SERVER.ask(f"/api/v1/runs/{run}/{kind}", "POST", '{"sample": 3} {"sample": 4}', Content_Type="application/json")
        assert status == 400, kind


def test_another_sites_page_may_open_ours_and_not_ask_the_api():
    assert SERVER.ask("/", Sec_Fetch_Site="cross-site")[0] == 200
    assert SERVER.ask("/api/v1/runs", Sec_Fetch_Site="cross-site")[0] == 403
    for site in ("same-origin", "none", "same-site"):
        assert SERVER.ask("/api/v1/runs", Sec_Fetch_Site=site)[0] == 200, site


def test_a_file_that_is_cut_off_while_it_is_served_is_told_and_ends_nothing():
    other = tap.train_strokes(FOLDER, "other.keylight", "--seed", "9")
    for harm in ("cut", "changed"):
        cut = os.path.join(FOLDER, f"{harm}.keylight")
        shutil.copyfile(RUN, cut)
        for memory in ("0", "1G"):
            shutil.copyfile(RUN, cut)
            server = Server(cut, other, "--memory", memory)
            first, second = (run["id"] for run in server.json("/api/v1/runs")["runs"])
            assert server.ask(f"/api/v1/runs/{first}/attention?sample=3&layer=2")[0] == 200
            if harm == "cut":
                os.truncate(cut, os.path.getsize(cut) // 3)
            else:
                with open(cut, "r+b") as file:
                    file.seek(os.path.getsize(cut) // 2)
                    file.write(b"\xff" * 100)
            for path in ("attention?sample=4&layer=2", "answer?sample=5", "images/7.png", "sheet.png?samples=1,2,3", "samples?limit=5"):
                status, _, content = server.ask(f"/api/v1/runs/{first}/{path}")
                assert status == 500 and "cut off, while it was served" in json.loads(content)["detail"], (harm, memory, path, status, content)
                assert FOLDER.encode() not in content
            assert server.ask(f"/api/v1/runs/{second}/attention?sample=4&layer=2")[0] == 200
            server.stop()


def test_the_server_said_nothing_on_stderr():
    SERVER.stop()


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
