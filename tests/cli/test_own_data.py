"""People's own folders: what is in them is used as what it says, and what is not used is told."""
import json
import os
import sqlite3
import struct
import sys
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numpy as np  # noqa: E402
import made_data  # noqa: E402
import tap  # noqa: E402
from client import Server  # noqa: E402

SMALL = ("--hidden", "8", "--steps", "12", "--batch", "5", "--lr", "0.02", "--force")
TEXT = ("--hidden", "6", "--embedding", "4", "--batch", "2", "--unroll", "5", "--steps", "6", "--force")


def at(name):
    return os.path.join(FOLDER, name)


def fill(folder, classes, count, first=0, shape=(6, 6)):
    random = np.random.default_rng(len(folder) + first)
    for label, name in enumerate(classes):
        os.makedirs(at(f"{folder}/{name}"), exist_ok=True)
        for i in range(first, first + count):
            image = random.integers(0, 120, shape).astype(np.uint8)
            image[label % shape[0]] += 130
            made_data.png(at(f"{folder}/{name}/{i:03}.png"), image)


def write(path, text):
    os.makedirs(os.path.dirname(at(path)), exist_ok=True)
    with open(at(path), "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def train(name, *options, kind=SMALL):
    """The file, and what was said of the data."""
    done = tap.run("train", *kind, "--output", at(name), *options)
    assert done.returncode == 0, done
    return sqlite3.connect(at(name)), done.stderr


def refuse(*options, says, kind=SMALL):
    done = tap.run("train", *kind, "--output", at("never.keylight"), *options)
    assert done.returncode in (1, 2) and says in done.stderr and done.stderr.count("\n") == 1, done
    assert not os.path.exists(at("never.keylight"))


def samples(db, column, where="1"):
    return [row[0] for row in db.execute(f"SELECT {column} FROM sample WHERE {where} ORDER BY sample")]


def members(db):
    return dict(((split, label), n) for split, label, n in
                db.execute("SELECT split, label, count(*) FROM sample GROUP BY split, label"))


def test_splits_have_many_names_in_any_case():
    for split, count in (("Training", 8), ("DEV", 3), ("Testing", 4), ("extra", 2)):
        fill(f"named/{split}", ["a", "b"], count, first=10 * count)
    write("named/readme.md", "about")
    db, said = train("named.keylight", "--data", f"d={at('named')}")
    assert members(db) == {("train", 0): 8, ("train", 1): 8, ("validation", 0): 3, ("validation", 1): 3, ("test", 0): 4,
                           ("test", 1): 4}
    assert "not used: extra" in said and "1 files that lie beside the splits" in said
    assert set(name.split("/")[0] for name in samples(db, "name", "split = 'validation'")) == {"DEV"}
    _, said = train("named.keylight", "--data", f"d={at('named')}", "--validation", 4)
    assert "its own validation split of 6 images is used" in said
    fill("named/eval", ["a", "b"], 2)
    refuse("--data", f"d={at('named')}", says="which are both the validation split")


def test_without_a_test_folder_a_tenth_of_train_becomes_it():
    fill("two/train", ["a", "b", "c"], 20)
    fill("two/valid", ["a", "b"], 4, first=50)
    db, said = train("two.keylight", "--data", f"d={at('two')}")
    found = members(db)
    assert all(found["test", label] == 2 and found["train", label] == 18 for label in range(3)), found
    assert found["validation", 0] == 4 and "a tenth of every class" in said
    assert "the validation split has nothing of the class c" in said


def test_classes_with_too_few_images_are_named():
    fill("few", ["many", "some"], 30)
    fill("few", ["one"], 1)
    db, said = train("few.keylight", "--data", f"d={at('few')}", "--validation", 6)
    assert "validation split has nothing of the class one" in said and "test split has nothing of the class one" in said
    found = members(db)
    assert found["train", 1] == 1 and all(found[split, label] >= 1 for split in ("validation", "test") for label in (0, 2))


def test_what_is_not_read_is_counted_and_named():
    fill("messy", ["a", "b"], 12)
    for name in ("a/1.heic", "a/2.heic", "b/notes.docx", "a/.hidden.png", "b/Thumbs.db", "__MACOSX/a/1.png", "a/Makefile"):
        write(f"messy/{name}", "x")
    made_data.png(at("messy/loose.png"), np.zeros((6, 6), np.uint8))
    fill("messy/a", ["inside"], 3)
    write("messy/b/torn.gif", "GIF89a")
    write("messy/b/empty.bmp", "")
    made_data.png(at("messy/a/wide.png"), np.zeros((2, 20001), np.uint8))
    db, said = train("messy.keylight", "--data", f"d={at('messy')}")
    assert "4 files are not PNG, JPEG" in said and ".heic 2" in said and ".docx 1" in said, said
    assert "1 image lies beside the class folders" in said and "1 folder is inside a class's folder and not read: a/inside" in said
    assert "3 images are left out" in said and "a/wide.png is 20001 x 2 pixels: a side is at most 20000" in said
    assert len(samples(db, "sample")) == 24


def test_frames_of_a_gif_are_no_larger_than_pictures_may_be():
    fill("film", ["a", "b"], 12)
    made_data.gif(at("film/a/film.gif"), 6, (6, 6), (6, 20001))
    made_data.gif(at("film/a/still.gif"), 6, (6, 6), (6, 6))
    db, said = train("film.keylight", "--data", f"d={at('film')}")
    assert "1 image is left out" in said and "a/film.gif is 6 x 20001 pixels: a side is at most 20000" in said, said
    assert len(samples(db, "sample")) == 25


def test_a_folder_of_another_layout_gets_a_diagnosis():
    fill("flat", ["."], 5)
    refuse("--data", f"d={at('flat')}", says="holds 5 images, but no classes")
    fill("deep/data/images", ["a", "b"], 3)
    refuse("--data", f"d={at('deep')}", says=f"name {at('deep')}/data/images as the data")
    for i in range(3):
        write(f"arrays/{i}.npy", "x")
    refuse("--data", f"d={at('arrays')}", says="holds no images (but .npy 3)")
    fill("held/test", ["a", "b"], 3)
    refuse("--data", f"d={at('held')}", says="has no folder train beside test")
    os.makedirs(at("empty"))
    refuse("--data", f"d={at('empty')}", says="it is empty")


def test_idx_files_are_regular_files_of_the_exact_name_first():
    made_data.idx(at("idx"), 3)
    os.makedirs(at("idx/train-images"))
    write("idx/train-images-backup-idx3-ubyte", "not this one")
    write("idx/train-labels.old", "nor this")
    db, _ = train("idx.keylight", "--data", f"d={at('idx')}")
    assert len(samples(db, "sample")) == 84


def test_pictures_are_read_as_a_viewer_shows_them():
    random = np.random.default_rng(2)
    image = random.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    turned = {1: image, 3: image[::-1, ::-1], 6: np.rot90(image, -1), 8: np.rot90(image)}
    for orientation, seen in turned.items():
        for kind in ("x", "y"):
            os.makedirs(at(f"turned{orientation}/{kind}"), exist_ok=True)
            for i in range(4):
                made_data.tiff(at(f"turned{orientation}/{kind}/{i}.tif"), image, orientation)
        db, _ = train("turned.keylight", "--data", f"d={at(f'turned{orientation}')}")
        width, height, channels = db.execute("SELECT width, height, channels FROM dataset").fetchone()
        assert (height, width, channels) == seen.shape
        data = np.frombuffer(db.execute("SELECT data FROM image_chunk").fetchone()[0], np.uint8)
        assert (data[:seen.size].reshape(3, height, width) == seen.transpose(2, 0, 1)).all(), orientation
    for kind, save, ending in (("p", made_data.ppm, "ppm"), ("m", made_data.bmp, "bmp"), ("t", made_data.tiff, "tiff")):
        os.makedirs(at(f"kinds/{kind}"))
        for i in range(4):
            save(at(f"kinds/{kind}/{i}.{ending}"), image)
    db, _ = train("kinds.keylight", "--data", f"d={at('kinds')}")
    data = np.concatenate([np.frombuffer(row[0], np.uint8) for row in db.execute("SELECT data FROM image_chunk ORDER BY first")])
    assert (data.reshape(-1, image.size) == image.transpose(2, 0, 1).reshape(-1)).all()


def test_grey_is_a_property_of_the_whole_set():
    grey = np.arange(36, dtype=np.uint8).reshape(6, 6)
    for kind in ("x", "y"):
        os.makedirs(at(f"grey/{kind}"))
        for i in range(5):
            made_data.bmp(at(f"grey/{kind}/{i}.bmp"), np.stack([grey + i] * 3, 2))
            made_data.ppm(at(f"grey/{kind}/{i}.pgm"), grey)
    db, said = train("grey.keylight", "--data", f"d={at('grey')}")
    assert db.execute("SELECT channels FROM dataset").fetchone()[0] == 1
    assert "of the test split are in the training split, too" in said or "of the test split is" in said, said
    made_data.idx(at("digits"), 1)
    train("both.keylight", "--data", f"d={at('grey')}", "--data", f"m={at('digits')}")
    made_data.bmp(at("grey/x/9.bmp"), np.stack([grey, grey, grey + 1], 2))
    db, _ = train("grey.keylight", "--data", f"d={at('grey')}")
    assert db.execute("SELECT channels FROM dataset").fetchone()[0] == 3
    refuse("--data", f"d={at('grey')}", "--data", f"m={at('digits')}", says="save the images of one of them in grey")


def test_names_are_kept_whole_in_every_script_and_order():
    long = "слово" * 24
    nfd, nfc = unicodedata.normalize("NFD", "café"), unicodedata.normalize("NFC", "café")
    fill("names/train", [long, nfd, "猫" * 9, "tab\there"], 6)
    fill("names/test", [long, nfc, "猫" * 9, "tab\there"], 2, first=40)
    db, _ = train("names.keylight", "--data", f"d={at('names')}")
    assert set(row[0] for row in db.execute("SELECT name FROM class")) == {long, nfd, "猫" * 9, "tab\there"}
    for command in (("query", "--sample", "test/d/0"), ("suspects",), ("report", "--samples", "4")):
        text = tap.succeed(command[0], at("names.keylight"), *command[1:])
        assert "\there" not in text and "�" not in text and "…" in text, command
    fill("numbers", [str(n) for n in (1, 2, 10, 20, 100)], 4)
    db, _ = train("numbers.keylight", "--data", f"d={at('numbers')}")
    assert [row[0] for row in db.execute("SELECT name FROM class ORDER BY label")] == ["1", "2", "10", "20", "100"]


def test_every_sample_knows_its_file():
    fill("files", ["a", "b"], 12)
    db, _ = train("files.keylight", "--data", f"d={at('files')}")
    ids = dict(zip(samples(db, "name"), samples(db, "sample")))
    assert sorted(ids) == sorted(f"{c}/{i:03}.png" for c in "ab" for i in range(12))
    answer = json.loads(tap.succeed("query", at("files.keylight"), "--sample", "path:b/007.png", "--json"))
    assert answer["sample"]["id"] == ids["b/007.png"] and answer["sample"]["path"] == "b/007.png"
    done = tap.run("query", at("files.keylight"), "--sample", "path:b/999.png")
    assert done.returncode == 1 and "no image of the file b/999.png" in done.stderr
    rows = tap.succeed("suspects", at("files.keylight"), "--csv").splitlines()
    assert len(rows) == 25 and all(row.split(",")[4] in ids for row in rows[1:])
    made_data.idx(at("nofiles"), 1)
    train("nofiles.keylight", "--data", f"d={at('nofiles')}")
    done = tap.run("query", at("nofiles.keylight"), "--sample", "path:x")
    assert done.returncode == 1 and "does not know the files" in done.stderr


def test_texts_are_split_by_their_names_and_leaks_are_told():
    tale = "the cat sat on the mat and a dog ran. " * 12
    write("books/one_TRAIN.txt", tale), write("books/two-training.txt", tale[5:]), write("books/my.dev.txt", "zzz yyy " * 9)
    write("books/a.testing.txt", tale), write("books/LICENSE", "free"), write("books/.DS_Store", b"\0\1")
    db, said = train("books.keylight", "--tokens", "words", "--data", f"d={at('books')}", kind=TEXT)
    assert set(db.execute("SELECT split, name FROM document")) == {
        ("train", "one_TRAIN.txt"), ("train", "two-training.txt"), ("validation", "my.dev.txt"), ("test", "a.testing.txt")}
    assert "1 file is not used" in said and "LICENSE" in said and "2 for training, 1 for validation, 1 for the test" in said
    assert "1 held out file has the text of a training file (a.testing.txt that of one_TRAIN.txt)" in said
    write("plain/a.txt", tale), write("plain/b.txt", tale[7:]), write("plain/valid.txt", "q w e " * 9)
    db, _ = train("plain.keylight", "--tokens", "words", "--data", f"d={at('plain')}", kind=TEXT)
    held = db.execute("SELECT split, name FROM document ORDER BY document").fetchall()
    assert ("validation", "valid.txt") in held and ("test", "b.txt") in held and ("train", "valid.txt") not in held


def test_words_are_cut_by_the_rules_of_every_script():
    words = {"hindi": "नमस्ते दुनिया। नमस्ते", "greek": "Καλημέρα, κόσμε· «Καλημέρα»", "hebrew": "שלום, עולם! שלום",
             "french": "l’été n'est-ce pas?", "number": "3.14 and 1,000,000"}
    for name, text in words.items():
        write(f"scripts/{name}.txt", (text + "\n") * 20)
        db, _ = train("script.keylight", "--tokens", "words", "--data", f"d={at(f'scripts/{name}.txt')}", "--test-share", 0, kind=TEXT)
        known = set(row[0] for row in db.execute("SELECT text FROM vocabulary"))
        wanted = {"hindi": {"नमस्ते", "दुनिया", "।"}, "greek": {"Καλημέρα", "κόσμε", "«", "»", ",", "·"},
                  "hebrew": {"שלום", "עולם", "!", ","}, "french": {"l’été", "n'est", "-", "ce", "pas", "?"},
                  "number": {"3.14", "and", "1,000,000"}}[name]
        assert known - {"<unk>", "\n"} == wanted, (name, known)


def test_text_is_compared_in_one_normal_form_and_utf_16_is_read():
    text = "Ngôn ngữ tiếng Việt " * 30
    write("viet/nfd.txt", unicodedata.normalize("NFD", text))
    write("viet16/big.txt", b"\xfe\xff" + text.encode("utf-16-be"))
    write("viet16/little.txt", b"\xff\xfe" + text.encode("utf-16-le"))
    for folder in ("viet", "viet16"):
        db, _ = train("viet.keylight", "--tokens", "words", "--data", f"d={at(folder)}", kind=TEXT)
        known = [row[0] for row in db.execute("SELECT text FROM vocabulary")]
        assert unicodedata.normalize("NFC", "tiếng") in known
        for form in ("NFC", "NFD"):
            typed = unicodedata.normalize(form, "tiếng Việt")
            got = json.loads(tap.succeed("query", at("viet.keylight"), "--text", typed, "--json"))
            assert "<unk>" not in got["subject"]["texts"], (folder, form)
    write("half.txt", b"\xff\xfea")
    refuse("--tokens", "words", "--data", f"d={at('half.txt')}", says="is not UTF-16", kind=TEXT)
    got = json.loads(tap.succeed("query", at("viet.keylight"), "--text", "tiếng klingon xyzzy klingon", "--json"))
    assert got["subject"]["missing"] == ["klingon", "xyzzy"]


def test_small_data_trains_for_some_twenty_passes():
    fill("small", ["a", "b"], 100)
    done = tap.run("train", "--data", f"d={at('small')}", "--hidden", "8", "--batch", "20", "--output", at("small.keylight"))
    assert "180 steps: some twenty passes" in done.stderr, done
    info = json.loads(tap.succeed("info", at("small.keylight"), "--json"))
    assert info["steps"] == 180 and len(info["curve"]) == 21
    done = tap.run("train")
    assert done.returncode == 2 and "--data strokes" in done.stderr and done.stderr.count("\n") == 1


def test_weights_that_hardly_move_are_verified():
    made_data.idx(at("still"), 1)
    for rate, dtype in (("1e-6", "float32"), ("3e-5", "float16")):
        train("still.keylight", "--data", f"d={at('still')}", "--lr", rate, "--dtype", dtype)
        assert "no more than float32 rounds" in tap.succeed("verify", at("still.keylight")) or rate == "3e-5"
    fill("blank", ["a", "b"], 5, shape=(4, 4))
    for folder, _, files in os.walk(at("blank")):
        for name in files:
            made_data.png(os.path.join(folder, name), np.zeros((4, 4), np.uint8))
    train("blank.keylight", "--data", f"d={at('blank')}")
    tap.succeed("verify", at("blank.keylight"))


def test_marks_are_kept_exported_and_trained_with():
    fill("marked", ["=1+1", "dog"], 20)
    os.rename(at("marked/dog/007.png"), at("marked/=1+1/=odd.png"))
    run = at("marked.keylight")
    db, _ = train("marked.keylight", "--data", f"d={at('marked')}")
    ids = dict(zip(samples(db, "name"), samples(db, "sample")))
    server = Server(run)
    base = "/api/v1/runs/" + json.loads(tap.succeed("info", run, "--json"))["fingerprint"] + "/marks"
    try:
        def post(status=200, **mark):
            got, _, content = server.ask(base, "POST", json.dumps(mark), Content_Type="application/json")
            assert got == status, (mark, got, content)
            return json.loads(content)
        assert server.json(base) == {"marks": []} and not os.path.exists(run + ".marks")
        post(sample=ids["=1+1/=odd.png"], decision="wrong", label=1)
        post(sample=ids["dog/003.png"], decision="fine")
        assert len(post(sample=ids["dog/004.png"], decision="unsure")["marks"]) == 3
        assert len(post(sample=ids["dog/004.png"], decision=None)["marks"]) == 2
        for bad in ({"sample": 999, "decision": "fine"}, {"sample": 0, "decision": "maybe"}, {"decision": "fine"},
                    {"sample": 0, "decision": "wrong", "label": 7}, {"sample": 0, "decision": "fine", "label": 1},
                    {"sample": 1.5, "decision": "fine"}, {"sample": 0, "decision": "fine", "other": 1}):
            post(404 if bad.get("sample") == 999 else 400, **bad)
        for body in ("[1]", "7", "null", "", "[[]]", '"sample"'):
            got, _, content = server.ask(base, "POST", body, Content_Type="application/json")
            assert got == 400 and b"JSON object" in content, (body, got, content)
        _, headers, csv = server.ask(f"{base}?format=csv&bom=1")
        assert csv.startswith(b"\xef\xbb\xbfdataset,split") and headers["Content-Type"].startswith("text/csv")
    finally:
        server.stop()
    table = tap.succeed("marks", run)
    assert "\"'=1+1\",wrong,dog" in table and "'=1+1/=odd.png" in table, table
    assert json.loads(tap.succeed("marks", run, "--json"))["marks"][0]["decision"] in ("wrong", "fine")
    write("fixed.csv", table)
    db, said = train("fixed.keylight", "--data", f"d={at('marked')}", "--corrections", at("fixed.csv"))
    assert "1 label is corrected" in said
    assert db.execute("SELECT label FROM sample WHERE name = '=1+1/=odd.png'").fetchone()[0] == 1
    assert json.loads(tap.succeed("info", at("fixed.keylight"), "--json"))["fingerprint"] not in base
    refuse("--data", f"d={at('few')}", "--corrections", at("fixed.csv"), says="which is not in the data")
    write("other.csv", "a,b\n1,2\n")
    refuse("--data", f"d={at('marked')}", "--corrections", at("other.csv"), says="names no column 'dataset'")
    _, said = train("marked.keylight", "--data", f"d={at('few')}")  # another run under the same name
    assert f"in {run}.marks.old now" in said and tap.run("marks", run).stdout.count("\n") == 1
    os.rename(run + ".marks.old", run + ".marks")
    done = tap.run("marks", run)
    assert done.returncode == 1 and "has the marks of another run" in done.stderr


def corrections(*rows, columns="dataset,split,index,file,label,decision,correct_label"):
    write("table.csv", "".join(line + "\n" for line in (columns, *rows)))
    return at("table.csv")


def test_corrections_change_what_they_name_or_nothing():
    fill("wrong", ["a", "b"], 20)
    data = ("--data", f"d={at('wrong')}")
    row = "d,train,0,a/003.png,a,{},{}"
    for decision, label, says in (("wrong", "b", "1 label is corrected, 0 had the right one before"),
                                  ("wrong", "a", "0 labels are corrected, 1 had the right one before"),
                                  ("wrong", "", "0 corrected labels, 1 marked wrong without the right class"),
                                  ("fine", "", "0 corrected labels, 0 marked")):
        _, said = train("wrong.keylight", *data, "--corrections", corrections(row.format(decision, label)))
        assert says in said, (decision, label, said)
    for rows, says in (([row.format("Wrong", "b")], "row 2 of"), ([row.format("wrong", "zebra")], "has no class 'zebra'"),
                       (["d,train,0,a/003.png,a,wrong"], "fewer fields"), (['d,train,0,"a/003.png,a,wrong,b'], "a quote that is not closed"),
                       (["d,train,banana,,a,wrong,b"], "the index 'banana'"), (["d,train,4294967296,,a,wrong,b"], "the index"),
                       (["d,train,,,a,wrong,b"], "the index ''"), (["d,train,0,,b,wrong,c"], "no class 'c'"),
                       ([row.format("wrong", "b"), row.format("wrong", "b").replace(",a,wrong,b", ",b,wrong,a"),
                         row.format("wrong", "b").replace(",a,wrong", ",x,wrong")], "is labelled 'a' here, neither 'x' nor 'b'")):
        refuse(*data, "--corrections", corrections(*rows), says=says)
    refuse(*data, "--corrections", at("wrong"), says="is no regular file")
    write("text.txt", "one two three four five six seven eight nine ten\n" * 20)
    refuse("--preset", "text-words", "--data", f"t={at('text.txt')}", "--corrections", corrections(), says="are for images", kind=())


def test_labels_flipped_on_purpose_are_corrected_as_they_were_seen():
    fill("noisy", ["a", "b"], 40)
    noise = ("--data", f"d={at('noisy')}", "--label-noise", "0.2", "--seed", "3")
    db, _ = train("noisy.keylight", *noise)
    flipped = list(db.execute("SELECT name, label, true_label FROM sample WHERE label != true_label"))
    assert len(flipped) >= 10
    table = corrections(*(f"d,train,0,{name},{'ab'[label]},wrong,{'ab'[true]}" for name, label, true in flipped))
    db, said = train("cleaned.keylight", *noise, "--corrections", table)
    assert f"{len(flipped)} labels are corrected" in said
    assert db.execute("SELECT count(*) FROM sample WHERE label != true_label").fetchone()[0] == 0


def test_splits_without_classes_are_no_classes():
    fill("bare", ["train", "test"], 6)
    refuse("--data", f"d={at('bare')}", says="bare/test holds images, but no classes")
    fill("odd", ["cat", "test"], 6)
    _, said = train("odd.keylight", "--data", f"d={at('odd')}")
    assert "the folder test is taken for a class" in said


def test_two_spellings_of_one_class_are_refused():
    for form in ("NFC", "NFD"):
        fill("twice", [unicodedata.normalize(form, "caf\u00e9"), "tea"], 4)
    refuse("--data", f"d={at('twice')}", says="differ only in how")


def test_names_do_nothing_to_a_terminal():
    fill("evil", ["a", "b"], 12)
    write("evil/a/\x1b]0;owned\x07.png", "no image")
    write("evil/a/split_seed.png", "no image")
    os.makedirs(at("evil/b/\x1b[31msub"))
    os.symlink("nowhere", at("evil/a/gone.png"))
    _, said = train("evil.keylight", "--data", f"d={at('evil')}")
    assert "\x1b" not in said and "\u241b]0;owned\u2407.png" in said and "--split-seed" not in said, said
    assert "1 file is not PNG" in said


def test_a_tiff_that_is_too_large_is_not_decoded():
    fill("scans", ["a", "b"], 8)
    entries = [(256, 4, 1, 21000), (257, 4, 1, 21000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1),
               (278, 4, 1, 21000), (279, 4, 1, 4)]
    write("scans/a/huge.tif", struct.pack("<2sHI4sH", b"II", 42, 12, bytes(4), len(entries)) +
          b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4))
    _, said = train("scans.keylight", "--data", f"d={at('scans')}")
    assert "huge.tif is 21000 x 21000 pixels: a side is at most 20000" in said, said


def test_hostile_marks_are_refused():
    fill("host", ["a", "b"], 12)
    train("host.keylight", "--data", f"d={at('host')}")
    marks = at("host.keylight.marks")

    def refused(says):
        done = tap.run("marks", at("host.keylight"))
        assert done.returncode == 1 and says in done.stderr and "move it away" in done.stderr, done
        os.remove(marks)
    write("host.keylight.marks", "junk " * 200)
    refused("cannot be read as marks")
    os.symlink(at("elsewhere"), marks)
    refused("is no file of its own")
    assert not os.path.exists(at("elsewhere"))
    fingerprint = json.loads(tap.succeed("info", at("host.keylight"), "--json"))["fingerprint"]

    def made(table, rows):
        db = sqlite3.connect(marks)
        db.executescript("PRAGMA application_id = 1802268011; PRAGMA user_version = 1; CREATE TABLE run (fingerprint TEXT);"
                         f"INSERT INTO run VALUES ('{fingerprint}'); CREATE TABLE mark ({table});")
        db.executemany("INSERT INTO mark (sample, label) VALUES (?, ?)", rows)
        db.commit()
        db.close()
    made("sample, label, decision AS (hex(zeroblob(210000000)))", [(0, 0)])
    refused("cannot be read as marks")
    made("sample, label, decision DEFAULT 'wrong'", [(1, 1), (1, 0), (2, 1 << 62), (3, -4), (900, 0)])
    found = json.loads(tap.succeed("marks", at("host.keylight"), "--json"))["marks"]
    assert [(one["sample"]["id"], one["label"]) for one in found] == [(1, 1), (2, None), (3, None)], found


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
