"""The server by a real client over a real socket: answers, headers, clients, ends."""
import concurrent.futures
import http.client
import gzip
import json
import os
import re
import socket
import sqlite3
import struct
import sys
import time
import zlib

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


def test_the_ready_line_names_the_address():
    assert SERVER.line == f"keylight is ready: http://127.0.0.1:{SERVER.port}/\n"


def test_every_answer_is_as_the_description_says():
    b = base()
    SERVER.validate("Runs", SERVER.json("/api/v1/runs"))
    SERVER.validate("Run", SERVER.json(b))
    SERVER.validate("Samples", SERVER.json(f"{b}/samples?split=test&limit=3"))
    SERVER.validate("Sample", SERVER.json(f"{b}/samples/6001"))
    for query in ("", "&layer=1", "&layer=2&rank=logit:3&by=sample", "&rank=negative&class=4&k=3"):
        SERVER.validate("Attention", SERVER.json(f"{b}/attention?sample=6001{query}"))


def test_the_description_knows_every_address_and_is_valid_openapi():
    api = SERVER.json("/api/v1/openapi.json")
    assert api["openapi"].startswith("3.1")
    example = {"run": base().rsplit("/", 1)[1], "sample": "5", "file": "strips.svg"}
    of_text = {f"/runs/{{run}}/{what}" for what in ("documents", "reading", "heat", "continuation")}
    for path, methods in api["paths"].items():
        if path in of_text:
            continue  # test_text.py asks them
        url = "/api/v1" + path.format(**example)
        for method, operation in methods.items():
            names = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert names == set(re.findall(r"{(\w+)}", path)), path
            needed = "&".join(f"{p['name']}={p.get('example', 5)}" for p in operation.get("parameters", [])
                              if p["in"] == "query" and p["required"])
            if method == "get":
                start = f"{url}?{needed}&" if needed else f"{url}?"
                assert SERVER.ask(start[:-1])[0] == 200, path
                for p in operation.get("parameters", []):  # nothing described is unknown
                    if p["in"] == "query" and not p["required"]:
                        status, _, body = SERVER.ask(f"{start}{p['name']}=~")
                        assert status == (200 if "maxLength" in p["schema"] else 400) and b"knows no parameter" not in body, (path, p)


def test_samples_have_orders_and_positions():
    b = base()
    for sort, key in (("stored", lambda s: s["id"]), ("least-sure", lambda s: s["probability"]), ("most-sure", lambda s: -s["probability"])):
        pages = [SERVER.json(f"{b}/samples?split=test&sort={sort}&limit=400&offset={offset}") for offset in (0, 400, 800)]
        samples = [one for page in pages for one in page["samples"]]
        assert len({one["id"] for one in samples}) == pages[0]["total"] == 1000 and pages[2]["next"] is None
        keys = [key(one) for one in samples]  # rounded: what is the same here may not be the same there
        assert keys == sorted(keys)
        again = SERVER.json(f"{b}/samples?split=test&sort={sort}&limit=400&next={pages[0]['next']}")
        assert again["samples"] == pages[1]["samples"]
        for position in (0, 417, 999):
            assert SERVER.json(f"{b}/samples?split=test&sort={sort}&limit=1&at={samples[position]['id']}")["position"] == position
    assert SERVER.json(f"{b}/samples?split=test&limit=1&at=0")["position"] is None  # a training sample
    by_loss = SERVER.json(f"{b}/samples?split=test&sort=loss&limit=1000")["samples"]
    right = [one for one in by_loss if one["correct"]]
    assert [one["probability"] for one in right] == sorted(one["probability"] for one in right) and not by_loss[0]["correct"]
    by_margin = [one["correct"] for one in SERVER.json(f"{b}/samples?split=test&sort=margin&limit=1000")["samples"]]
    assert by_margin == sorted(by_margin)  # who is wrong has a negative one
    assert SERVER.ask(f"{b}/samples?sort=size")[0] == 400 and SERVER.ask(f"{b}/samples?next=s5&offset=5")[0] == 400
    assert SERVER.json(f"{b}/samples?name=nowhere")["total"] == 0


def test_confusions_count_every_sample_once():
    b = base()
    found = SERVER.json(f"{b}/confusion?split=test")["confusions"]
    SERVER.validate("Confusions", {"confusions": found})
    assert sum(one["samples"] for one in found) == 1000
    for one in found[:5] + found[-5:]:
        assert SERVER.json(f"{b}/samples?split=test&label={one['target']}&predicted={one['predicted']}&limit=1")["total"] == one["samples"]


def test_query_json_is_the_api_answer():
    api = SERVER.json(f"{base()}/attention?sample=6017&layer=2&rank=positive&k=6")
    cli = json.loads(tap.succeed("query", RUN, "--sample", "test/strokes/17", "--layer", 2, "--rank",
                                 "positive", "--top", 6, "--json"))
    for answer in (api, cli):
        answer.pop("timing_ms"), answer.pop("scan_ms")
    assert api == cli
    assert SERVER.json(base()) == json.loads(tap.succeed("info", RUN, "--json"))


def test_given_pixels_are_answered_as_the_stored_sample_is():
    b = base()
    width, height, pixels = read_png(SERVER.ask(f"{b}/images/6017.png")[2])
    assert (width, height) == (28, 28)
    body = json.dumps({"pixels": list(pixels), "layer": 1, "rank": "logit:2", "k": 5, "class": None})
    status, _, content = SERVER.ask(f"{b}/attention", "POST", body, Content_Type="application/json")
    assert status == 200, content
    given, stored = json.loads(content), SERVER.json(f"{b}/attention?sample=6017&layer=1&rank=logit:2&k=5")
    SERVER.validate("Attention", given)
    assert given["sample"] is None
    assert given["logits"] == stored["logits"] and given["spotlight"] == stored["spotlight"]


def test_samples_come_in_pages_by_filter():
    b, seen, token = base(), [], ""
    while token is not None:
        page = SERVER.json(f"{b}/samples?split=test&correct=false&limit=7" + (f"&next={token}" if token else ""))
        seen += [sample["id"] for sample in page["samples"]]
        assert all(not sample["correct"] and sample["split"] == "test" for sample in page["samples"])
        token = page["next"]
    assert len(seen) == page["total"] > 0 and seen == sorted(set(seen))
    for filters in ("label=3", "predicted=4", "label=3&predicted=4", "dataset=strokes&split=train"):
        for sample in SERVER.json(f"{b}/samples?{filters}")["samples"]:
            for part in filters.split("&"):
                name, value = part.split("=")
                assert str(sample[name]) == value


def read_png(content):
    """Width, height and bytes of an 8-bit grey PNG."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack(">IIBB", content[16:26])
    assert (depth, kind) == (8, 0)
    at, data = 8, b""
    while at < len(content):
        length, = struct.unpack(">I", content[at:at + 4])
        if content[at + 4:at + 8] == b"IDAT":
            data += content[at + 8:at + 8 + length]
        at += 12 + length
    raw, rows, above = zlib.decompress(data), [], bytes(width)
    for y in range(height):
        kind, line = raw[y * (width + 1)], bytearray(raw[y * (width + 1) + 1:(y + 1) * (width + 1)])
        for x in range(width):
            a, b, c = line[x - 1] if x else 0, above[x], above[x - 1] if x else 0
            paeth = min((a, b, c), key=lambda v: abs(a + b - c - v))
            line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
        above = bytes(line)
        rows.append(above)
    return width, height, b"".join(rows)


def test_sheets_hold_the_same_pictures_enlarged():
    b = base()
    images = [read_png(SERVER.ask(f"{b}/images/{i}.png")[2])[2] for i in (5, 3, 6999)]
    width, height, sheet = read_png(SERVER.ask(f"{b}/sheet.png?samples=5,3,6999&columns=2&scale=3")[2])
    assert (width, height) == (2 * 28 * 3, 2 * 28 * 3)
    for i, image in enumerate(images):
        for y in (0, 9, 27):
            for x in (0, 14, 27):
                at = ((i // 2 * 28 + y) * 3 + 2) * width + (i % 2 * 28 + x) * 3 + 1
                assert sheet[at] == image[y * 28 + x]
    status, headers, _ = SERVER.ask(f"{b}/images/5.png")
    assert "immutable" in headers["Cache-Control"]


def test_tags_save_answers_and_keep_the_connection_in_step():
    b = base()
    for path in ("/", "/assets/main.js", "/api/v1/runs", b, f"{b}/samples", f"{b}/attention?sample=3",
                 f"{b}/images/3.png", f"{b}/sheet.png?samples=3"):
        status, headers, _ = SERVER.ask(path)
        assert status == 200, path
        tag = headers["ETag"]
        assert re.fullmatch(r'"[0-9a-f]{16}"', tag)
        connection = SERVER.connect()
        for given, expected in ((tag, 304), (f'"x", W/{tag}', 304), ("*", 304), ('"x"', 200)):
            connection.request("GET", path, headers={"If-None-Match": given})
            response = connection.getresponse()
            body = response.read()
            assert response.status == expected, (path, given, response.status)
            assert (response.status == 304) == (body == b"")
            assert response.headers["ETag"] == tag
        connection.close()
    # Byte by byte: a 304 has the length of what it stands for, no body, and nothing after it.
    path = f"{b}/images/3.png"
    tag, length = (SERVER.ask(path)[1][name] for name in ("ETag", "Content-Length"))
    with socket.create_connection(("127.0.0.1", SERVER.port), timeout=1) as client:
        for _ in range(3):
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n".encode())
            got = b""
            while not got.endswith(b"\r\n\r\n"):
                got += client.recv(1)
            assert got.startswith(b"HTTP/1.1 304 "), got
            assert f"Content-Length: {length}\r\n".encode() in got, got
        client.settimeout(0.2)
        try:
            assert client.recv(1) is None, "something follows a 304"
        except TimeoutError:
            pass
    tags = {SERVER.ask(f"{b}/attention?sample=3&{q}")[1]["ETag"]
            for q in ("k=5", "k=6", "layer=1", "rank=logit", "rank=logit:0", "by=sample", "class=0")}
    assert len(tags) == 7
    assert SERVER.ask(f"{b}/attention?k=5&sample=3")[1]["ETag"] in tags


def test_text_travels_compressed_where_the_client_takes_it():
    b = base()
    for path in ("/", "/assets/main.js", "/assets/page.css", "/api/v1/openapi.json", b, f"{b}/samples?limit=50"):
        _, plain, content = SERVER.ask(path)
        assert "Content-Encoding" not in plain and plain["Vary"] == "Accept-Encoding", path
        for accepted in ("gzip", "br, gzip;q=0.5", "*"):
            status, headers, packed = SERVER.ask(path, Accept_Encoding=accepted)
            assert status == 200 and headers["Content-Encoding"] == "gzip" and headers["Vary"] == "Accept-Encoding"
            assert gzip.decompress(packed) == content and len(packed) < len(content) / 2, path
            assert headers["ETag"] != plain["ETag"]
        for refused in ("", "br", "gzip;q=0", "*;q=0", "gzipped"):
            assert SERVER.ask(path, Accept_Encoding=refused)[2] == content, refused
        status, _, nothing = SERVER.ask(path, Accept_Encoding="gzip", If_None_Match=headers["ETag"])
        assert (status, nothing) == (304, b"")
        assert SERVER.ask(path, Accept_Encoding="gzip", If_None_Match=plain["ETag"])[0] == 200
    for path in (f"{b}/samples/3", f"{b}/sheet.png?samples=1,2,3,4,5,6,7,8"):  # short, or compressed already
        assert "Content-Encoding" not in SERVER.ask(path, Accept_Encoding="gzip")[1]
    with open(os.path.join(os.path.dirname(__file__), "../../web/icon.svg"), "rb") as file:
        assert SERVER.ask("/assets/icon.svg")[2] == file.read()


# What each resource about a sample depends on, and what it has of the whole answer.
RESOURCES = {
    "answer": ("rank", ("logits", "probabilities", "initial_guess", "correction", "exactness")),
    "spotlight": ("layer rank by class k", ("scores", "spotlight", "rank", "by", "class", "k", "layer")),
    "views/classes": ("layer", ("by_class", "layer")),
    "views/curves": ("layer", ("curves",)),
    "views/time": ("layer rank", ("time",)),
    "views/samples": ("layer rank", ("samples",)),
    "views/learning": ("rank", ("learning",)),
    "removal": ("layer rank by class remove", ("removed",)),
}


def test_an_answer_comes_in_parts_that_are_tagged_by_what_they_depend_on():
    b = base()
    words = {"layer": "2", "rank": "logit:3", "by": "sample", "class": "1", "k": "7", "remove": "top:5,class:2"}
    others = {"layer": "1", "rank": "cosine", "by": "pattern", "class": "2", "k": "8", "remove": "all"}
    asked = "&".join(f"{name}={value}" for name, value in words.items())
    whole = SERVER.json(f"{b}/attention?sample=6003&{asked}&views=curves,time,samples,learning")
    for resource, (depends, members) in RESOURCES.items():
        mine = {name: words[name] for name in depends.split()}
        address = f"{b}/{resource}?sample=6003&" + "&".join(f"{name}={value}" for name, value in mine.items())
        status, headers, content = SERVER.ask(address)
        assert status == 200, (address, content)
        part = json.loads(content)
        SERVER.validate("Part", part)
        for member in members:
            assert part[member] == whole[member], (resource, member)
        foreign = {member for _, names in RESOURCES.values() for member in names} - set(members)
        allowed = {"layer", "rank", "by", "class", "k"} | ({"logits", "probabilities", "initial_guess", "correction",
                                                            "exactness"} if resource == "removal" else set())
        assert not foreign & set(part) - allowed, (resource, foreign & set(part))
        tag = headers["ETag"]
        for name in others:
            if name in mine:
                changed = "&".join(f"{key}={others[key] if key == name else value}" for key, value in mine.items())
                assert SERVER.ask(f"{b}/{resource}?sample=6003&{changed}")[1]["ETag"] != tag, (resource, name)
            else:
                SERVER.problem(f"{address}&{name}={words[name]}", 400, name)
        assert SERVER.ask(address.replace("6003", "6004"))[1]["ETag"] != tag
        pixels = {"pixels": [7] * 784, **mine}
        status, _, content = SERVER.ask(f"{b}/{resource}", "POST", json.dumps(pixels), Content_Type="application/json")
        assert status == 200, (resource, content)


def test_ranks_are_told_in_words():
    ranks = SERVER.json("/api/v1/ranks")
    SERVER.validate("Ranks", ranks)
    for rank in ranks["ranks"]:
        for text in (rank["name"], rank.get("older_name", rank["name"])):
            assert SERVER.json(f"{base()}/spotlight?sample=6003&rank={text}")["rank"] == rank["name"]
        status = SERVER.ask(f"{base()}/spotlight?sample=6003&rank={rank['name']}:2")[0]
        assert status == (200 if rank["takes_logit"] else 400), rank


def test_how_much_is_in_memory_is_told():
    run = SERVER.json(base())
    with sqlite3.connect(f"file:{RUN}?immutable=1", uri=True) as db:  # as the file has it: what is packed stays so
        packed = "4 * count * (stored < count * width)"  # where each of its rows begins
        tables = {(table, layer): n_bytes for table in ("key_chunk", "error_chunk")
                  for layer, n_bytes in db.execute(f"SELECT layer, sum(length(data) + {packed}) FROM {table} GROUP BY layer")}
    assert run["memory_bytes"] == 7000 * 784 + sum(tables.values())  # samples are bytes
    assert tables["key_chunk", 3] < 2 * run["patterns"] * run["layers"][2]["inputs"]
    assert SERVER.ask(f"{base()}/attention?sample=3&layer=3")[0] == 200
    for _ in range(200):  # a copy is made when nobody asks
        memory = SERVER.json("/api/v1/memory")
        if memory["copied_bytes"] >= tables["key_chunk", 3] + tables["error_chunk", 3]:
            break
        time.sleep(0.1)
    SERVER.validate("Memory", memory)
    last = tables["key_chunk", 3] + tables["error_chunk", 3]
    assert last <= memory["copied_bytes"] <= memory["most_bytes"] and memory["copied_bytes"] < memory["process_bytes"], memory
    for most, limit in ((0, "0"), (3 << 20, "3M")):
        server = Server(RUN, "--memory", limit)
        memory = server.json("/api/v1/memory")
        assert memory["most_bytes"] == most and memory["copied_bytes"] <= most, memory
        server.stop()


def test_head_has_the_headers_and_no_body():
    status, headers, body = SERVER.ask(base(), "HEAD")
    assert status == 200 and body == b""
    assert int(headers["Content-Length"]) == len(SERVER.ask(base())[2])


def test_wrong_parameters_are_named():
    b = base()
    for query, parameter in (
            ("attention", "sample"), ("attention?sample=x", "sample"), ("attention?sample=-1", "sample"),
            ("attention?sample=1&layer=0", "layer"), ("attention?sample=1&layer=4", "layer"),
            ("attention?sample=1&layer=1.5", "layer"), ("attention?sample=1&rank=best", "rank"),
            ("attention?sample=1&rank=logit:10", "rank"), ("attention?sample=1&by=class", "by"),
            ("attention?sample=1&class=10", "class"), ("attention?sample=1&k=0", "k"),
            ("attention?sample=1&k=1001", "k"), ("attention?sample=1&colour=red", "colour"),
            ("attention?sample=1&k=3&k=4", "k"), ("attention?sample=1&layer=", "layer"),
            ("samples?split=val", "split"), ("samples?dataset=mnist", "dataset"),
            ("samples?correct=1", "correct"), ("samples?limit=1001", "limit"), ("samples?next=5", "next"),
            ("samples?next=szz", "next"), ("samples?label=256", "label"), ("images/1.png?scale=99", "scale"),
            ("sheet.png", "samples"), ("sheet.png?samples=1,,2", "samples"),
            ("sheet.png?samples=1,2,", "samples"), ("sheet.png?samples=" + ",".join("1" * 257), "samples"),
            ("sheet.png?samples=1,2,3,4,5,6,7,8,9,10&columns=10&scale=32", "scale"),
            ("attention?sample=1&<script>=1", "<script>")):
        SERVER.problem(f"{b}/{query}", 400, parameter)
    SERVER.problem(f"{b}/attention?" + "&".join(f"a{i}=1" for i in range(30)), 400)
    SERVER.problem(f"{b}/attention?sample=7000", 404, "sample")
    SERVER.problem(f"{b}/samples/7000", 404, "sample")
    SERVER.problem(f"{b}/images/7000.png", 404, "sample")
    SERVER.problem(f"{b}/sheet.png?samples=1,7000", 404, "samples")
    SERVER.problem(f"{b}/samples?foo%ff=1", 400, "foo?")
    SERVER.problem(f"{b}/images/1.gif", 404, "sample")
    SERVER.problem("/api/v1/runs/0000000000000000", 404, "run")
    SERVER.problem("/api/v1/nothing", 404)
    status, headers, content = SERVER.ask("/nothing")  # a person reads this one
    assert status == 404 and headers["Content-Type"].startswith("text/html") and b"<main>" in content
    SERVER.problem("/api/nothing", 404)
    SERVER.problem("/assets/../server/http.h", 404)


def test_many_clients_get_the_right_answers_at_once():
    b = base()
    expected = {i: SERVER.json(f"{b}/attention?sample={i}&layer=2")["spotlight"] for i in range(6)}

    def client(number):
        for _ in range(5):
            while True:
                status, headers, body = SERVER.ask(f"{b}/attention?sample={number % 6}&layer=2")
                if status != 503:
                    break
                assert headers["Retry-After"] == "1"
            assert json.loads(body)["spotlight"] == expected[number % 6]
            assert SERVER.ask(f"{b}/images/{number}.png")[0] == 200
        return True
    with concurrent.futures.ThreadPoolExecutor(24) as clients:
        assert all(clients.map(client, range(24)))


def test_a_stopped_server_finishes_what_is_under_way():
    server = Server(RUN, "--memory", "0")
    run = json.loads(server.ask("/api/v1/runs")[2])["runs"][0]["id"]
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        answers = [clients.submit(server.ask, f"/api/v1/runs/{run}/attention?sample={i}&k=1000")
                   for i in range(8)]
        time.sleep(0.02)
        server.stop()
        finished = [answer for answer in answers if answer.exception() is None]
        assert finished, "no request was under way"
        for answer in finished:
            assert answer.result()[0] == 200
            json.loads(answer.result()[2])
        for answer in answers:  # the others came too late for the listening socket
            assert answer.exception() is None or isinstance(
                answer.exception(), (ConnectionRefusedError, ConnectionResetError,
                                     http.client.RemoteDisconnected))


def test_a_client_that_dawdles_does_not_keep_the_server_from_stopping():
    server = Server(RUN)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST /api/v1/runs/x/attention HTTP/1.1\r\nHost: localhost\r\n"
                       b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{}{")
        time.sleep(0.2)
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 10


def test_the_server_said_nothing_on_stderr():
    SERVER.stop()


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
