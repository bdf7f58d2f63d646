"""Views as figures: of the API and of the command line, of images and of text, against the API's numbers."""
import json
import os
import re
import struct
import sys
import zlib
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import made_data  # noqa: E402
import tap  # noqa: E402
from client import Server  # noqa: E402
from text_reader import train_text  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
IMAGES = ("answer", "strips", "card", "spotlight", "classes", "curves", "time", "learning", "totals", "layers", "matrix", "matrix-datasets",
          "matrix-steps", "wall")
TEXT = ("answer", "strips", "spotlight", "classes", "curves", "time", "learning", "totals", "along", "heat")
AXES = {"curves": ("rank ", "|attention|"), "time": ("training step", "sum of |attention|"),
        "learning": ("training step", " of the network as it was then"), "totals": ("training samples", "total |attention|"),
        "along": ("position in the training text", "mean |attention|")}
SERVER = None
FILES = {}


def set_up():
    global SERVER
    for name, seed in (("a", 1), ("b&<c", 2)):
        made_data.idx(os.path.join(FOLDER, "d" + str(seed)), seed, train=60)
    FILES["images"] = os.path.join(FOLDER, "images.keylight")
    tap.succeed("train", "--data", f"a={FOLDER}/d1", "--data", f"b={FOLDER}/d2", "--steps", "120", "--batch", "7", "--hidden", "14,10",
                "--lr", "0.03", "--name", "a <name> & \"more\"", "--output", FILES["images"], "--quiet")
    FILES["text"] = train_text(FOLDER, "text", "--tokens", "characters", "--lr", "1", "--gate-errors")
    FILES["adam"] = train_text(FOLDER, "adam", "--tokens", "words", "--min-count", "1", "--optimiser", "adam", "--lr", "0.01", "--momentum", "0")
    SERVER = Server(*FILES.values())


def tear_down():
    if SERVER and SERVER.process.poll() is None:
        SERVER.process.kill()


def base(kind):
    return "/api/v1/runs/" + json.loads(tap.succeed("info", FILES[kind], "--json"))["fingerprint"]


def figure(kind, file, sample, query=""):
    status, headers, content = SERVER.ask(f"{base(kind)}/figures/{file}?sample={sample}{query}")
    assert status == 200, (kind, file, content)
    assert headers["Content-Type"] == ("image/png" if file.endswith(".png") else "image/svg+xml") and "ETag" in headers
    return content


def texts(svg):
    return [element.text or "" for element in xml.fromstring(svg).iter(f"{SVG}text")]


def word(value):
    """As the page shortens numbers."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3 if size >= .1 else 4
    return ("\u2212" if value < 0 else "") + f"{size:.{digits}f}"


def test_every_view_is_an_svg_that_names_the_run_and_the_query():
    for kind, views, sample, query in (("images", IMAGES, "test/a/5", "test/a/5"), ("text", TEXT, "test/tale/40", "test/tale/40")):
        run = SERVER.json(base(kind))
        for view in views:
            content = figure(kind, f"{view}.svg", sample)
            root, said = xml.fromstring(content), texts(content)
            assert root.tag == f"{SVG}svg" and 500 < float(root.get("width")) <= 1200
            assert query in root.find(f"{SVG}title").text
            assert any(query in text for text in said), (view, said)
            assert any(run["name"] in text for text in said), (view, said)
            if view != "card":
                assert any(run["fingerprint"] in text for text in said)
            for axis in AXES.get(view, ()):
                assert any(axis in text for text in said), (view, axis, said)


def test_every_png_is_its_svg_at_print_size():
    for kind, views, sample in (("images", IMAGES, "test/a/5"), ("text", TEXT, "test/tale/40")):
        for view in views:
            root = xml.fromstring(figure(kind, f"{view}.svg", sample))
            content = figure(kind, f"{view}.png", sample)
            assert content[:8] == b"\x89PNG\r\n\x1a\n"
            scale = 1 if view == "card" else 3
            width, height = struct.unpack(">II", content[16:24])
            assert abs(width - scale * float(root.get("width"))) <= 1 and abs(height - scale * float(root.get("height"))) <= 1
            assert len(content) > 2000
    assert struct.unpack(">II", figure("images", "card.png", "test/a/5")[16:24]) == (1200, 630)


def test_the_strips_have_the_numbers_of_the_api():
    for kind, sample in (("images", "test/a/5"), ("text", "test/tale/40")):
        said = texts(figure(kind, "strips.svg", sample))
        for strip in SERVER.json(f"{base(kind)}/strips?sample={sample}")["strips"]:
            assert strip["title"] in said
            assert strip["sentence"][:60] in " ".join(said), (strip["sentence"], said)
            for card in strip["cards"]:
                value = card["attention"] if strip["id"] == "looks" else card["contribution"]
                assert any(text.endswith(word(value)) for text in said), (strip["id"], value, said)
    pictures = xml.fromstring(figure("images", "strips.svg", "test/a/5")).iter(f"{SVG}image")
    cards = sum(len(strip["cards"]) for strip in SERVER.json(f"{base('images')}/strips?sample=test/a/5")["strips"])
    assert len(list(pictures)) == 1 + cards


def test_charts_have_a_line_for_everything_that_is_told():
    run = SERVER.json(base("images"))
    classes = sum(len(dataset["classes"]) for dataset in run["datasets"])
    paths = lambda view: len(list(xml.fromstring(figure("images", f"{view}.svg", "test/a/5")).iter(f"{SVG}path")))  # noqa: E731
    assert paths("curves") == classes and paths("time") == len(run["datasets"]) and paths("totals") == 1
    answer = SERVER.json(f"{base('images')}/views/classes?sample=test/a/5")
    said = texts(figure("images", "matrix.svg", "test/a/5"))
    for total in answer["by_class"]:
        for contribution in total["contributions"]:
            assert word(contribution) in said, contribution
    time = SERVER.json(f"{base('images')}/views/time?sample=test/a/5")["time"]["contributions"]
    for view, rows in (("matrix-datasets", [[sum(of) for of in zip(*bins)] for bins in time]),
                       ("matrix-steps", [[sum(of) for of in zip(*(time[d][b] for d in range(2) for b in range(first, first + 10)))]
                                         for first in range(0, 100, 10)])):
        said = texts(figure("images", f"{view}.svg", "test/a/5"))
        for row in rows:
            for value in row:
                assert word(value) in said or abs(value) < .001, (view, value)
    blocks = list(xml.fromstring(figure("images", "wall.svg", "test/a/5")).iter(f"{SVG}image"))
    assert len(blocks) == classes


def test_layer_and_rank_are_taken():
    run = SERVER.json(base("images"))
    signed = lambda value: ("+" if value > 0 else "") + word(value)  # noqa: E731
    one = figure("images", "spotlight.svg", "test/a/5", "&layer=1&rank=logit:2&by=sample&k=7")
    said = texts(one)
    assert any("layer 1 of 3" in text for text in said) and any("ranking: argues for (" in text and "by sample" in text for text in said)
    assert len(list(xml.fromstring(one).iter(f"{SVG}image"))) == 7
    spotlight = SERVER.json(f"{base('images')}/spotlight?sample=test/a/5&layer=1&rank=logit:2&by=sample&k=7")["spotlight"]
    for lit in spotlight:
        assert signed(lit["contribution"]) in said, (lit, said)
    said = texts(figure("images", "spotlight.svg", "test/a/5", "&rank=against:2&class=1"))
    classes = [name for dataset in run["datasets"] for name in dataset["classes"]]
    assert any(f"ranking: argues against ({run['outputs'][2]})" in text and f"of {classes[1]}" in text for text in said), said
    for lit in SERVER.json(f"{base('images')}/spotlight?sample=test/a/5&rank=against:2&class=1")["spotlight"]:
        assert signed(lit["contribution"]) in said, (lit, said)
    assert len(list(xml.fromstring(figure("images", "spotlight.svg", "test/a/5", "&k=150")).iter(f"{SVG}image"))) == 100
    for view in ("strips", "learning", "matrix", "layers"):  # which do not depend on the layer
        assert not any("layer 1 of 3" in text for text in texts(figure("images", f"{view}.svg", "test/a/5", "&layer=1"))), view
    of = {rank: figure("images", "time.svg", "test/a/5", f"&rank={rank}&layer=1") for rank in ("abs", "positive", "negative")}
    assert len(set(of.values())) == 3 and b"sum of negative attention" in of["negative"]


def test_any_text_is_drawn():
    words = ["\u0430\u0440\u0437\u0448\u043e\u043f\u0441\u0437\u043b\u0445\u0437\u0448\u043e\u0439\u044f", "\uffff\u0445", "\ufffex", "\u6f22\u5b57", "a<b&\"", "\U0001f600"]
    folder = os.path.join(FOLDER, "any.txt")
    with open(folder, "w", encoding="utf-8") as file:
        for i in range(2000):
            file.write(words[(i * i + i // 7) % len(words)] + " ")
    path = os.path.join(FOLDER, "any.keylight")
    tap.succeed("train", "--tokens", "words", "--min-count", "1", "--data", f"mine={folder}", "--steps", "20", "--hidden", "8", "--output", path, "--quiet")
    for view in TEXT:
        for ending in ("svg", "png"):
            output = os.path.join(FOLDER, f"any-{view}.{ending}")
            tap.succeed("figure", path, "--sample", "train/mine/60", "--view", view, "--output", output)
        with open(os.path.join(FOLDER, f"any-{view}.svg"), "rb") as file:
            svg = file.read()
        said = texts(svg.decode("utf-8"))  # is XML, in whole characters
        assert "\uffff" not in "".join(said)
        if view in ("strips", "spotlight"):
            assert any(words[0] in text or words[3] in text for text in said), said


def test_pngs_are_white_to_the_edge():
    for view in ("wall", "strips", "curves"):
        png = figure("images", f"{view}.png", "test/a/5")
        width, height = struct.unpack(">II", png[16:24])
        data, at = b"", 8
        while at < len(png):
            n, kind = struct.unpack(">I4s", png[at:at + 8])
            data += png[at + 8:at + 8 + n] if kind == b"IDAT" else b""
            at += 12 + n
        rows, before = zlib.decompress(data), bytes(width * 3)
        for y in range(height):
            kind, row = rows[y * (3 * width + 1)], bytearray(rows[y * (3 * width + 1) + 1:(y + 1) * (3 * width + 1)])
            for i in range(3 * width):  # PNG's filters (W3C, section 9)
                left, up, corner = (row[i - 3] if i >= 3 else 0), before[i], (before[i - 3] if i >= 3 else 0)
                near = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
                row[i] = row[i] + (0, left, up, (left + up) // 2, near)[kind] & 255
            assert all(row[i] >= 250 for i in (*range(3), *range(-3, 0))), (view, y)
            before = row


def test_given_pictures_and_texts_have_figures_too():
    run = SERVER.json(base("images"))
    for kind, body, says in (("images", {"pixels": [128] * run["layers"][0]["inputs"]}, "a picture that was given"),
                             ("text", {"text": "the old dog sang"}, "after \u201cthe old dog sang\u201d"),
                             ("adam", {"text": "the old dog sang"}, "after")):
        for view in ("strips", "spotlight", "heat")[:2 + (kind == "text")]:
            status, _, content = SERVER.ask(f"{base(kind)}/figures/{view}.svg", "POST", json.dumps(body), Content_Type="application/json")
            assert status == 200 and any(says in text for text in texts(content)), (kind, view, content[:300])


def test_what_is_no_figure_is_refused_in_words():
    for path, status in ((f"{base('images')}/figures/nonsense.svg?sample=1", 404), (f"{base('images')}/figures/strips.gif?sample=1", 404),
                         (f"{base('images')}/figures/heat.svg?sample=1", 400), (f"{base('text')}/figures/wall.svg?sample=1", 400),
                         (f"{base('images')}/figures/strips.svg", 400), (f"{base('images')}/figures/strips.svg?sample=9999", 404),
                         (f"{base('images')}/figures/spotlight.svg?sample=1&k=0", 400), (f"{base('images')}/figures/?sample=1", 404),
                         (f"{base('text')}/figures/heat.svg?sample=1&rank=cosine", 400)):
        got, headers, content = SERVER.ask(path)
        assert got == status and headers["Content-Type"] == "application/problem+json", (path, got, content)


def test_the_command_writes_what_the_server_serves():
    for kind, view, sample in (("images", "strips", "test/a/5"), ("images", "wall", "test/a/5"), ("text", "heat", "test/tale/40")):
        for ending in ("svg", "png"):
            path = os.path.join(FOLDER, f"{kind}-{view}.{ending}")
            tap.succeed("figure", FILES[kind], "--sample", sample, "--view", view, "--output", path)
            with open(path, "rb") as file:
                assert file.read() == figure(kind, f"{view}.{ending}", sample), (kind, view, ending)
    path = os.path.join(FOLDER, "images-strips.svg")
    for options, code, says in ((("--sample", "test/a/5", "--output", path), 1, "exists already"),
                                (("--sample", "test/a/5", "--output", f"{FOLDER}/x.jpg"), 2, ".svg or .png"),
                                (("--sample", "test/a/5"), 2, "--output"), (("--output", f"{FOLDER}/x.svg"), 2, "--sample"),
                                (("--sample", "test/a/5", "--view", "walls", "--output", f"{FOLDER}/x.svg"), 2, "no view 'walls'"),
                                (("--sample", "test/zz/5", "--output", f"{FOLDER}/x.svg"), 1, "no data set 'zz'"),
                                (("--sample", "test/a/5", "--view", "heat", "--output", f"{FOLDER}/x.svg"), 2, "'heat' is a figure of runs of text"),
                                (("--sample", "test/a/5", "--output", f"{FOLDER}/none/x.svg"), 1, "cannot write")):
        done = tap.run("figure", FILES["images"], *options)
        assert done.returncode == code and says in done.stderr and done.stderr.count("\n") == 1, (options, done)
    assert not os.path.exists(f"{FOLDER}/x.svg")


def test_a_sample_has_one_name_everywhere():
    run = SERVER.json(base("images"))
    first = run["datasets"][1]["splits"]["test"]["first_sample"]
    for name in ("test/b/3", str(first + 3)):
        assert SERVER.json(f"{base('images')}/answer?sample={name}")["sample"]["id"] == first + 3
        assert SERVER.json(f"{base('images')}/samples/{name}")["id"] == first + 3
    found = json.loads(tap.succeed("query", FILES["images"], "--sample", "test/b/3", "--json"))
    assert found["sample"]["id"] == first + 3
    for bad, status in (("test/b/999", 404), ("test/zz/1", 404), ("tests/b/1", 400), ("test/b", 400), ("b/1", 400), ("path:x.png", 404),
                        ("test/b/-1", 400), ("test/b/1x", 400)):
        got, _, content = SERVER.ask(f"{base('images')}/answer?sample={bad}")
        assert got == status and json.loads(content)["parameter"] == "sample", (bad, content)


def test_links_to_a_sample_have_a_preview():
    fingerprint = base("images").rsplit("/", 1)[1]
    status, _, page = SERVER.ask(f"/r/{fingerprint}/q/test/b/3")
    assert status == 200
    image = re.search(rb'property="og:image" content="([^"]+)"', page).group(1).decode()
    assert re.fullmatch(rf"http://(127\.0\.0\.1|localhost):\d+/api/v1/runs/{fingerprint}/figures/card\.png\?sample=test/b/3", image), image
    assert SERVER.ask(image[image.index("/api"):])[0] == 200
    assert b'og:description" content="test/b/3 in the run a &#60;name&#62; &#38; &#34;more&#34;"' in page
    for none in ("/", f"/r/{fingerprint}", f"/r/{fingerprint}/q/test/zz/3", f"/r/{fingerprint}/suspects"):
        assert b"og:" not in SERVER.ask(none)[2], none
    server = Server(FILES["images"], "--public-url", "https://lab.example/kl/")
    try:
        assert f'content="https://lab.example/kl/api/v1/runs/{fingerprint}/figures/card.png'.encode() in server.ask(f"/r/{fingerprint}/q/test/b/3")[2]
    finally:
        server.stop()


def test_the_server_said_nothing_on_stderr():
    SERVER.stop()


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
