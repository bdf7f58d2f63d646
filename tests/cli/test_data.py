"""Every kind of data that a run can be trained on, and how it is chosen, split and shown."""
import gzip
import os
import sqlite3
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numpy as np  # noqa: E402
import made_data  # noqa: E402
import tap  # noqa: E402

SMALL = ("--hidden", "8", "--steps", "12", "--batch", "5", "--lr", "0.02", "--quiet", "--force")


def at(name):
    return os.path.join(FOLDER, name)


def train(name, *options):
    tap.succeed("train", *SMALL, "--output", at(name), *options)
    tap.succeed("verify", at(name))
    return sqlite3.connect(at(name))


def notes(*options):
    """What training says about the data."""
    done = tap.run("train", *(option for option in SMALL if option != "--quiet"), "--output", at("noted.keylight"), *options)
    assert done.returncode == 0, done
    return done.stderr


def refuse(*options, says):
    done = tap.run("train", *SMALL, "--output", at("refused.keylight"), *options)
    assert done.returncode in (1, 2) and says in done.stderr, done
    assert done.stderr.count("\n") == 1, done
    assert not os.path.exists(at("refused.keylight")), (done, os.remove(at("refused.keylight")))


def pixels(db):
    rows = db.execute("SELECT count, width, data FROM image_chunk ORDER BY first")
    return np.concatenate([np.frombuffer(d, np.uint8).reshape(n, w) for n, w, d in rows])


def column(db, name, where="1"):
    return [row[0] for row in db.execute(f"SELECT {name} FROM sample WHERE {where} ORDER BY sample")]


def patterns(db):
    return np.concatenate([np.frombuffer(row[0], "<u4") for row in
                           db.execute("SELECT data FROM showing_chunk ORDER BY first")])


def set_up():
    made_data.idx(at("a"), 1)
    made_data.idx(at("b"), 2, train=40)


def test_cifar_10_in_its_binary_version_is_read_byte_for_byte():
    records, test = made_data.cifar(at("cifar"))
    with open(at("cifar/batches.meta.txt"), "w") as file:
        file.write("airplane\nautomobile\n")
    db = train("cifar.keylight", "--data", f"cifar={at('cifar')}")
    assert db.execute("SELECT width, height, channels, classes FROM dataset").fetchone() == (32, 32, 3, 10)
    both = np.concatenate([records, test])
    assert (pixels(db) == both[:, 1:]).all()
    assert column(db, "label") == both[:, 0].tolist()
    assert [r[0] for r in db.execute("SELECT name FROM class ORDER BY label")][:3] == ["airplane", "automobile", "2"]
    assert db.execute("SELECT count(*) FROM channel").fetchone()[0] == 3
    with open(at("cifar/data_batch_2.bin"), "ab") as file:
        file.write(b"x")
    refuse("--data", f"cifar={at('cifar')}", says="not a multiple of 3073")


def test_folders_of_images_by_class_are_read_and_resized():
    random = np.random.default_rng(1)
    images = {}
    for label in ("cat", "dog"):
        os.makedirs(at(f"pets/{label}"))
        for i in range(20):
            images[label, i] = random.integers(0, 256, (12, 10, 3)).astype(np.uint8)
            made_data.png(at(f"pets/{label}/{i:02}.png"), images[label, i])
    open(at("pets/cat/notes.txt"), "w").close()
    db = train("pets.keylight", "--data", f"pets={at('pets')}")
    assert db.execute("SELECT width, height, channels, train_samples, test_samples FROM dataset").fetchone() == (10, 12, 3, 36, 4)
    names = column(db, "name")
    for one, name in zip(pixels(db), names):  # their own size: untouched
        label, file = name.split("/")
        assert (one.reshape(3, 12, 10) == images[label, int(file[:2])].transpose(2, 0, 1)).all()
    assert sorted(names) == sorted(f"{label}/{i:02}.png" for label, i in images)
    assert [r[0] for r in db.execute("SELECT name FROM class ORDER BY label")] == ["cat", "dog"]
    db = train("pets.keylight", "--data", f"pets={at('pets')}", "--image-size", "6x5")
    assert db.execute("SELECT width, height FROM dataset").fetchone() == (6, 5)
    means = np.array([images[name.split("/")[0], int(name.split("/")[1][:2])].mean() for name in column(db, "name")])
    assert abs(pixels(db).mean(1) - means).max() < 12
    with open(at("pets/dog/broken.jpg"), "w") as file:
        file.write("no image")
    assert "1 image is left out" in notes("--data", f"pets={at('pets')}")


def test_grey_folders_are_grey_and_splits_of_their_own_are_kept():
    for split, count in (("train", 6), ("test", 2)):
        for label in ("one", "two"):
            os.makedirs(at(f"grey/{split}/{label}"))
            for i in range(count):
                made_data.png(at(f"grey/{split}/{label}/{i}.png"), np.full((4, 4), 20 * i, np.uint8))
    db = train("grey.keylight", "--data", f"grey={at('grey')}")
    assert db.execute("SELECT channels, train_samples, test_samples FROM dataset").fetchone() == (1, 12, 4)
    os.makedirs(at("grey/train/three"))
    refuse("--data", f"grey={at('grey')}", says="three holds no PNG, JPEG")
    os.rmdir(at("grey/train/three"))


def test_folders_that_are_not_whole_are_refused():
    for label in ("x", "y"):
        os.makedirs(at(f"few/{label}"))
        for i in range(5):
            made_data.png(at(f"few/{label}/{i}.png"), np.full((4, 4), i, np.uint8))
    db = train("few.keylight", "--data", f"few={at('few')}")  # one of each is held out
    assert db.execute("SELECT split, label, count(*) FROM sample GROUP BY split, label").fetchall() == [
        ("test", 0, 1), ("test", 1, 1), ("train", 0, 4), ("train", 1, 4)]
    for split in ("train", "test"):
        for label in ("x", "y"):
            os.makedirs(at(f"odd/{split}/{label}"))
            made_data.png(at(f"odd/{split}/{label}/0.png"), np.arange(16, dtype=np.uint8).reshape(4, 4) * ord(label) % 99)
    os.makedirs(at("odd/test/z"))
    train("odd.keylight", "--data", f"odd={at('odd')}")  # what holds no images is no class
    made_data.png(at("odd/test/z/0.png"), np.full((4, 4), 9, np.uint8))
    refuse("--data", f"odd={at('odd')}", says="it differs at 'z'")
    refuse("--data", f"none={at('none')}", says="cannot open the data folder")
    refuse("--data", f"none={at('none')}", "--image-size", 8, says="cannot open the data folder")
    made_data.cifar(at("gap"), (3, 3, 3))
    os.remove(at("gap/data_batch_2.bin"))
    refuse("--data", f"gap={at('gap')}", says="the batch before it is missing")


def test_a_validation_split_of_a_folder_is_taken_from_its_images():
    db = train("pets-validation.keylight", "--data", f"pets={at('grey')}", "--validation", 3)
    assert db.execute("SELECT train_samples, validation_samples, test_samples FROM dataset").fetchone() == (9, 3, 4)


def by_file(db):
    return dict(zip(column(db, "name"), pixels(db)))


def test_transparent_images_are_laid_on_a_ground_that_shows_them():
    for name, colour, ground in (("light", 200, 0), ("dark", 20, 255)):
        os.makedirs(at(f"{name}/x")), os.makedirs(at(f"{name}/y"))
        image = np.zeros((4, 4, 4), np.uint8)
        image[..., :3], image[..., 3] = colour, 51  # a fifth there
        for i in range(10):
            made_data.png(at(f"{name}/x/{i}.png"), image)
            made_data.png(at(f"{name}/y/{i}.png"), image[..., :3])
        for option, laid in ((), ground), (("--background", "white"), 255), (("--background", "black"), 0):
            images = by_file(train("clear.keylight", "--data", f"clear={at(name)}", *option))
            assert set(images["x/0.png"].tolist()) == {round(colour / 5 + laid * 4 / 5)}, (name, option)
            assert set(images["y/0.png"].tolist()) == {colour}
        assert f"laid on {'white' if ground else 'black'} (--background" in notes("--data", f"clear={at(name)}")


def test_validation_and_limit_are_drawn_evenly_of_every_class():
    whole = train("whole.keylight", "--data", f"a={at('a')}")
    db = train("part.keylight", "--data", f"a={at('a')}", "--validation", 10, "--limit", 30)
    assert db.execute("SELECT train_samples, validation_samples, test_samples FROM dataset").fetchone() == (30, 10, 24)
    everything, part = pixels(whole), pixels(db)
    where = [int(np.where((everything[:60] == one).all(1))[0][0]) for one in part[:40]]
    assert len(set(where)) == 40 and where[:30] == sorted(where[:30]) and where[30:] == sorted(where[30:])
    assert (part[40:] == everything[60:]).all()
    labels = np.array(column(whole, "label"))
    members = np.bincount(labels[:60], minlength=4)
    for ids, n in ((where[30:], 10), (where[:30], 30)):
        assert abs(np.bincount(labels[ids], minlength=4) - n * members / 60).max() < 1.5
    other = pixels(train("other.keylight", "--data", f"a={at('a')}", "--validation", 10, "--limit", 30, "--split-seed", 2))
    assert not (other == part).all()
    mean = db.execute("SELECT mean FROM channel").fetchone()[0]
    assert abs(mean - part[:30].mean()) < 1e-9  # of what is trained on
    assert patterns(db).max() < 30
    refuse("--data", f"a={at('a')}", "--validation", 60, says="leaves nothing to train on")
    refuse("--data", f"a={at('a')}", "--limit", 61, says="more than there is")


def test_flipped_labels_are_as_many_as_asked_and_remembered():
    clean = column(train("whole.keylight", "--data", f"a={at('a')}"), "label")
    options = ("--data", f"a={at('a')}", "--label-noise", "0.2")
    db = train("noise.keylight", *options, "--noise-seed", 5)
    label, true = column(db, "label"), column(db, "true_label")
    flipped = [i for i in range(84) if label[i] != true[i]]
    assert true == clean and len(flipped) == 12 and max(flipped) < 60
    again = column(train("noise.keylight", *options, "--noise-seed", 5), "label")
    other = column(train("noise.keylight", *options, "--noise-seed", 6), "label")
    assert again == label and other != label
    both = train("noise2.keylight", "--data", f"a={at('a')}", "--data", f"c={at('a')}", "--label-noise", "0.3")
    flips = [[i for i, (l, t) in enumerate(zip(column(both, "label", f"dataset = {d}"),
                                               column(both, "true_label", f"dataset = {d}"))) if l != t] for d in (0, 1)]
    assert len(flips[0]) == len(flips[1]) == 18 and flips[0] != flips[1]  # each its own
    for refused in ("-0.1", "1.5", "x"):
        refuse(*options[:2], "--label-noise", refused, says="--label-noise")


def test_a_sequential_schedule_shows_one_data_set_after_the_other():
    both = ("--data", f"a={at('a')}", "--data", f"b={at('b')}")
    db = train("seq.keylight", *both, "--schedule", "sequential", "--switch", "5", "--seed", 3)
    samples = patterns(db)
    assert (samples[:25] < 60).all() and (samples[25:] >= 84).all() and (samples[25:] < 124).all()
    assert len(set(samples[25:].tolist())) == 35  # a pass of 40: nobody twice
    db = train("joint.keylight", *both, "--steps", 40)
    samples = patterns(db)
    for begin in (0, 100):
        assert len(set(samples[begin:begin + 100].tolist())) == 100  # every sample of both, once
    datasets = db.execute("SELECT name FROM dataset ORDER BY dataset").fetchall()
    assert datasets == [("a",), ("b",)]
    assert db.execute("SELECT value FROM setting WHERE key = 'name'").fetchone()[0] == "a+b"
    refuse(*both, "--schedule", "sequential", says="--switch names")
    refuse(*both, "--schedule", "sequential", "--switch", "12", says="rising steps from 1 to 11")
    refuse(*both, "--switch", "3", says="belongs to --schedule sequential")
    refuse(*both, "--switch", "3", "--schedule", "joint", says="belongs to --schedule sequential")
    refuse("--preset", "quick-continual", "--steps", "500", *both, says="switches data sets after step 1000")
    refuse("--preset", "quick-continual", *both[:2], says="trains on 2 data sets one after the other")
    train("joint2.keylight", "--preset", "quick-continual", *both, "--schedule", "joint", *SMALL)
    refuse(*both[:2], "--schedule", "sequential", "--switch", "3", says="two data sets")
    refuse(*both, "--schedule", "cosine", says="--schedule is joint or sequential")


def test_heads_are_shared_or_separate():
    both = ("--data", f"a={at('a')}", "--data", f"b={at('b')}")
    shared = train("shared.keylight", *both)
    separate = train("separate.keylight", *both, "--heads", "separate")
    outputs = "SELECT outputs FROM layer ORDER BY layer DESC LIMIT 1"
    assert shared.execute(outputs).fetchone()[0] == 4
    assert separate.execute(outputs).fetchone()[0] == 8
    assert column(shared, "target") == column(shared, "label")
    assert column(separate, "target - label", "dataset = 0") == [0] * 84
    assert column(separate, "target - label", "dataset = 1") == [4] * 64
    refuse(*both, "--heads", "two", says="--heads is shared or separate")


def test_images_of_different_sizes_are_refused():
    made_data.idx(at("wide"), 4, side=7)
    refuse("--data", f"a={at('a')}", "--data", f"wide={at('wide')}", says="images of one size")
    refuse("--data", f"a={at('a')}", "--image-size", "8", says="has images of 6x6")
    train("sized.keylight", "--data", f"a={at('a')}", "--image-size", "6")
    refuse("--data", f"a={at('a')}", "--image-size", "0", says="--image-size is a side")


def test_a_compressed_file_is_unpacked_no_further_than_its_header_allows():
    folder = at("bomb")
    os.mkdir(folder)
    for split in ("train", "t10k"):
        for name, head in ((f"{split}-images-idx3-ubyte.gz", struct.pack(">IIII", 0x803, 10, 28, 28)),
                           (f"{split}-labels-idx1-ubyte.gz", struct.pack(">II", 0x801, 10))):
            with gzip.open(os.path.join(folder, name), "wb") as file:
                file.write(head)
                for _ in range(400):
                    file.write(bytes(1 << 20))
    with subprocess.Popen([tap.KEYLIGHT, "train", "--data", f"bomb={folder}", "--output", at("bomb.keylight")], stderr=subprocess.PIPE) as child:
        said = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 1 and b"is longer than its header says" in said and said.count(b"\n") == 1, said
    assert used.ru_maxrss < 100 * 1024 or "sanitize" in os.environ.get("KEYLIGHT_BUILD", ""), used.ru_maxrss


def test_snapshots_are_kept_where_they_were_asked_for():
    db = train("often.keylight", "--data", f"a={at('a')}", "--steps", 400, "--snapshot-steps", 9)
    steps = [r[0] for r in db.execute("SELECT DISTINCT step FROM tensor WHERE state = 'snapshot' ORDER BY step")]
    assert steps == [1, 2, 4, 8] + list(range(9, 400, 9))
    db = train("never.keylight", "--data", f"a={at('a')}", "--snapshot-steps", 0)
    assert db.execute("SELECT count(*) FROM tensor WHERE state = 'snapshot'").fetchone()[0] == 0


def test_a_run_of_an_early_format_is_refused_in_words():
    train("old.keylight", "--data", f"a={at('a')}")
    db = sqlite3.connect(at("old.keylight"))
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    done = tap.run("info", at("old.keylight"))
    assert done.returncode == 1 and "early keylight" in done.stderr and "train it again" in done.stderr


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
