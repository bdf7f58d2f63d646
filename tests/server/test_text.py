"""Runs of text: the file by another reader, the API by a real client, and what the command line says of them."""
import json
import os
import re
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numpy as np  # noqa: E402
import tap  # noqa: E402
from client import Server  # noqa: E402
from reader import fingerprint, sign, wrong_rows  # noqa: E402
from text_reader import TextReader, make_text, train_text  # noqa: E402

READERS = {}
SERVER = None


def set_up():
    global SERVER
    runs = {"characters": ("--tokens", "characters", "--gate-errors", "--lr", "1", "--weight-decay", "1e-4",
                           "--dtype", "float32"),
            "deep": ("--tokens", "characters", "--hidden", "12,12", "--gate-errors", "--lr", "1"),
            "words": ("--tokens", "words", "--min-count", "2", "--error-entries", "5", "--lr", "1"),
            "attention": ("--tokens", "characters", "--attention-only"),
            "adam": ("--tokens", "characters", "--optimiser", "adam", "--lr", "0.01", "--gate-errors")}
    for name, options in runs.items():
        READERS[name] = TextReader(train_text(FOLDER, name, "--name", name, *options))
    SERVER = Server(*(reader.path for reader in READERS.values()))


def tear_down():
    if SERVER and SERVER.process.poll() is None:
        SERVER.process.kill()


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def base(name):
    return "/api/v1/runs/" + READERS[name].run["fingerprint"]


def post(name, what, status=200, **body):
    got, _, content = SERVER.ask(f"{base(name)}/{what}", "POST", json.dumps(body),
                                 Content_Type="application/json")
    assert got == status, (what, body, got, content)
    return json.loads(content)


def test_the_file_holds_the_text_as_it_is():
    folder = make_text(FOLDER)
    text = "".join(open(os.path.join(folder, f"part {n}.txt"), encoding="utf-8").read() for n in (1, 2, 3))
    for name in ("characters", "words"):
        reader = READERS[name]
        stored = "".join((" " if spaced else "") + reader.vocabulary[token]
                         for split in ("train", "test")
                         for token, spaced in zip(reader.tokens[split], reader.spaced[split]))
        if name == "characters":
            assert stored == text
        else:  # rare words are unknown; white space stands as it was
            assert re.sub(r"[^\s<>]", "", stored) == re.sub(r"[^\s<>]", "", re.sub(r"Zoë", "Zoë", text)) or "<unk>" in stored
        documents = reader.db.execute("SELECT * FROM document ORDER BY document").fetchall()
        assert [d["name"] for d in documents] == ["part 1.txt", "part 2.txt", "part 3.txt", "part 3.txt"]
        assert sum(d["count"] for d in documents if d["split"] == "test") == len(reader.tokens["test"])


def test_patterns_are_the_positions_in_order():
    reader = READERS["characters"]
    batch, unroll = int(reader.settings["batch_size"]), int(reader.settings["unroll"])
    first = reader.samples[:batch * unroll].reshape(unroll, batch)
    assert (np.diff(first, axis=0) == 1).all()  # every stream goes on
    again = reader.samples[batch * unroll:2 * batch * unroll].reshape(unroll, batch)
    assert (again[0] == first[-1] + 1).all()
    assert reader.samples.max() < len(reader.tokens["train"]) - 1


def test_the_dual_form_from_the_file_is_the_network_at_output_and_gates():
    for name, bound in (("characters", 1e-4), ("deep", 2e-3)):
        reader = READERS[name]
        c, alpha = reader.coefficients()
        for layer in range(1, len(reader.layers) + 1):
            w0, b0 = reader.parameters("initial", layer)
            w, b = reader.parameters("current", layer)
            values = c[:, None] * reader.errors(layer)
            dual = alpha * w0 + values.T @ reader.keys(layer)
            assert np.linalg.norm(dual - w) / np.linalg.norm(w - w0) < bound, (name, layer)
            assert np.abs(alpha * b0 + values.sum(0) - b).max() < 1e-2 * bound / 1e-4
        verified = tap.succeed("verify", reader.path)
        assert "The dual form holds" in verified


def test_verify_says_what_is_approximate_and_what_cannot_be():
    words = tap.succeed("verify", READERS["words"].path)
    assert "approximate" in words and "4 largest others" in " ".join(words.split()), words
    row = READERS["words"].db.execute("SELECT total(left_out) / (total(kept) + total(left_out)) "
                                      "FROM sparse_error_chunk").fetchone()[0]
    assert f"{100 * row:.3g} %" in words
    assert 0 < row < 0.5
    assert "No error signals" in tap.succeed("verify", READERS["attention"].path)
    assert "The dual form holds" in tap.succeed("verify", READERS["adam"].path)
    damaged = os.path.join(FOLDER, "damaged.keylight")
    with open(READERS["characters"].path, "rb") as source, open(damaged, "wb") as copy:
        copy.write(source.read())
    db = sqlite3.connect(damaged)
    db.execute("UPDATE curve SET loss = loss + 1 WHERE step = 90")
    db.commit()
    db.close()
    sign(damaged)
    done = tap.run("verify", damaged)
    assert done.returncode == 1 and "does not end with the test loss" in done.stderr, done


def test_checksums_and_fingerprint_can_be_recomputed():
    for reader in READERS.values():
        assert wrong_rows(reader.db) == []
        assert fingerprint(reader.db) == reader.run["fingerprint"]


def test_the_curve_is_in_bits_per_token():
    info = json.loads(tap.succeed("info", READERS["characters"].path, "--json"))
    SERVER.validate("Run", info)
    assert info["kind"] == "text" and info["dual"] is True
    assert abs(info["test_bits_per_token"] - info["curve"][-1]["loss"] / np.log(2)) < 1e-5
    assert abs(info["test_perplexity"] - np.exp(info["curve"][-1]["loss"])) < 1e-4
    assert info["curve"][-1]["loss"] < info["curve"][0]["loss"] - 0.5
    reader = READERS["characters"]
    streams, losses = 32, []
    test = reader.tokens["test"]
    length = (len(test) - 1) // streams
    for b in range(streams):
        part = test[b * length:(b + 1) * length + 1]
        _, logits = reader.read(part[:-1])
        shifted = logits - logits.max(1, keepdims=True)
        losses.append(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(length), part[1:]])
    assert abs(np.mean(losses) - info["curve"][-1]["loss"]) < 1e-4


def test_attention_is_what_the_file_gives_at_every_layer():
    for name in ("characters", "deep", "words", "attention", "adam"):
        reader = READERS[name]
        n_train = len(reader.tokens["train"]) - 1
        index = min(120, len(reader.tokens["test"]) - 3)
        sample = n_train + index
        keys, logits = reader.read(reader.context(sample))
        for layer in range(1, len(reader.layers) + 1):
            answer = SERVER.json(f"{base(name)}/attention?sample={sample}&layer={layer}&k=5")
            SERVER.validate("TextAttention", answer)
            attention = reader.keys(layer) @ keys[layer - 1][-1]
            assert answer["subject"]["tokens"] == reader.context(sample).tolist()
            assert answer["target"] == reader.tokens["test"][index + 1]
            for token in answer["next"]:
                assert abs(token["logit"] - logits[-1][token["token"]]) < 2e-3
            assert answer["predicted"] == logits[-1].argmax()
            order = np.argsort(-np.abs(attention))
            best = answer["passages"][0]["places"][0]
            assert abs(abs(best["attention"]) - np.abs(attention[order[0]])) < 1e-3 * (1 + abs(best["attention"]))
            for passage in answer["passages"]:
                for place in passage["places"]:
                    assert abs(place["attention"] - attention[place["pattern"]]) < 1e-3 * (1 + abs(place["attention"]))
                    assert place["sample"] == reader.samples[place["pattern"]]
                    assert place["step"] == reader.step_of[place["pattern"]] + 1
                    assert place["repetitions"] == (reader.samples == place["sample"]).sum()
                    assert passage["tokens"][place["offset"]] == reader.tokens["train"][place["sample"]]
            sums = {t: np.abs(attention[reader.targets() == t]).sum() for t in set(reader.targets().tolist())}
            for total in answer["by_token"]:
                assert abs(total["sum_abs"] - sums.get(total["token"], 0)) < 1e-3 * (1 + total["sum_abs"])
            assert answer["vote"]["by_total"]["token"] == max(sums, key=sums.get)
            assert answer["vote"]["by_first"]["token"] == reader.targets()[order[0]]


def test_contributions_sum_to_the_correction_and_are_exact_at_the_output():
    for name in ("characters", "adam"):
        reader = READERS[name]
        sample = len(reader.tokens["train"]) + 99
        keys, logits = reader.read(reader.context(sample))
        layer = len(reader.layers)
        answer = SERVER.json(f"{base(name)}/attention?sample={sample}&rank=logit&views=time,curves,samples,learning&k=7")
        SERVER.validate("TextAttention", answer)
        attention = reader.keys(layer) @ keys[-1][-1]
        values = reader.given(layer, keys[-1][-1])[0][:, answer["logit"]]
        assert answer["contribution_kind"] == "exact" and answer["exactness"]["max_abs_error"] < 1e-3
        top = answer["passages"][0]["places"][0]
        assert abs(top["contribution"] - values.max()) < 1e-5
        for total in answer["by_token"]:
            assert abs(total["contribution"] - values[reader.targets() == total["token"]].sum()) < 1e-3
        assert abs(sum(answer["time"]["contributions"]) - values.sum()) < 1e-3
        said = [n for n in answer["next"] if n["token"] == answer["logit"]][0]
        assert abs(said["initial_guess"] + said["correction"] - logits[-1][answer["logit"]]) < 1e-3
        assert abs(said["correction"] - values.sum()) < 1e-3
        groups = answer["time"]["sum_abs"]
        for name, mask in (("said", reader.targets() == answer["predicted"]),
                           ("target", (reader.targets() == answer["target"]) & (answer["target"] != answer["predicted"]))):
            assert abs(sum(groups[name]) - np.abs(attention[mask]).sum()) < 1e-2
        assert abs(sum(answer["along"]["sum_abs"]) - np.abs(attention).sum()) < 1e-2
        assert abs(sum(d["sum"] for d in answer["along"]["documents"]) - attention.sum()) < 1e-2
        last = answer["learning"]["tokens"][0]
        assert last["token"] == answer["predicted"] and abs(last["logits"][-1] - logits[-1].max()) < 1e-3


def test_the_gates_contribute_in_first_order():
    for name in ("characters", "adam"):
        reader = READERS[name]
        sample = len(reader.tokens["train"]) + 40
        tokens = reader.context(sample)
        keys, logits = reader.read(tokens)
        answer = SERVER.json(f"{base(name)}/attention?sample={sample}&layer=1&rank=logit&k=3")
        assert answer["contribution_kind"] == "first_order"
        weights, biases = reader.parameters("current", 1)
        # The gradient w.r.t. the gates at the last token, by differences.
        hidden = 20
        before, _ = reader.read(tokens)
        gates = weights @ before[0][-1] + biases
        out_w, out_b = reader.parameters("current", 2)

        def cell_before():
            x, h, cell = reader.embedding()[tokens], np.zeros(hidden), np.zeros(hidden)
            for row in x[:-1]:
                i, f, g, o = np.split(weights @ np.concatenate([row, h]) + biases, 4)
                cell = 1 / (1 + np.exp(-f)) * cell + 1 / (1 + np.exp(-i)) * np.tanh(g)
                h = 1 / (1 + np.exp(-o)) * np.tanh(cell)
            return cell

        start = cell_before()

        def logit(z):
            i, f, g, o = np.split(z, 4)
            cell = 1 / (1 + np.exp(-f)) * start + 1 / (1 + np.exp(-i)) * np.tanh(g)
            return (out_w @ (1 / (1 + np.exp(-o)) * np.tanh(cell)) + out_b)[answer["logit"]]

        gradient = np.array([(logit(gates + 1e-5 * e) - logit(gates - 1e-5 * e)) / 2e-5 for e in np.eye(4 * hidden)])
        values = reader.given(1, keys[0][-1])[0] @ gradient
        place = answer["passages"][0]["places"][0]
        assert abs(place["contribution"] - values.max()) < 1e-4 * (1 + abs(values.max()))


def test_removal_is_exact_at_the_output_layer():
    for name in ("characters", "adam"):
        reader = READERS[name]
        sample = len(reader.tokens["train"]) + 70
        keys, logits = reader.read(reader.context(sample))
        values = reader.given(2, keys[-1][-1])[0]
        taken = reader.targets()[5]
        for terms, mask in ((f"class:{taken}", reader.targets() == taken), ("steps:1-30", reader.step_of < 30),
                            (f"sample:{reader.samples[8]}", reader.samples == reader.samples[8]),
                            ("", np.zeros(len(values), bool)), ("all", np.ones(len(values), bool))):
            answer = SERVER.json(f"{base(name)}/attention?sample={sample}&remove={terms}")
            without = logits[-1] - values[mask].sum(0)
            assert answer["removed"]["patterns"] == mask.sum()
            for token in answer["next"]:
                assert abs(token["logit_without"] - without[token["token"]]) < 2e-3 * (1 + abs(without).max()), terms
            assert answer["removed"]["predicted"]["token"] == without.argmax() or \
                np.sort(without)[-1] - np.sort(without)[-2] < 1e-2


def test_runs_without_error_signals_and_unrecorded_gates_have_attention_only():
    b = base("attention")
    sample = len(READERS["attention"].tokens["train"]) + 5
    answer = SERVER.json(f"{b}/attention?sample={sample}&k=2")
    assert answer["exactness"]["dual"] is False and "max_abs_error" not in answer["exactness"]
    assert answer["passages"][0]["places"][0]["contribution"] is None
    assert "initial_guess" not in answer["next"][0] and "contribution" not in answer["by_token"][0]
    for query in ("rank=logit", "rank=proponents", "rank=effect", "remove=all"):
        status, _, content = SERVER.ask(f"{b}/attention?sample={sample}&{query}")
        assert status == 400 and b"error signals" in content, (query, content)
    status, _, content = SERVER.ask(f"{base('words')}/attention?sample=100&layer=1&rank=logit")
    assert status == 400 and b"gate_errors" in content
    answer = SERVER.json(f"{base('words')}/attention?sample=100&rank=proponents")
    assert answer["contribution_kind"] == "approximate" and answer["exactness"]["left_out"] > 0
    for token in answer["next"]:
        whole = token["initial_guess"] + token["correction"] + token["unrecorded"]
        assert abs(whole - token["logit"]) < 1e-4 and abs(token["unrecorded"]) <= answer["exactness"]["max_abs_error"] + 1e-4
    assert json.loads(tap.succeed("info", READERS["attention"].path, "--json"))["dual"] is False


def test_typed_text_is_answered_as_the_stored_one_is():
    reader = READERS["words"]
    sample = 150
    stored = SERVER.json(f"{base('words')}/attention?sample={sample}&k=4")
    text = "".join(stored["subject"]["texts"])
    typed = post("words", "attention", text=text, k=4)
    SERVER.validate("TextAttention", typed)
    assert typed["subject"]["sample"] is None and typed["target"] is None
    assert typed["next"][0]["probability"] == stored["next"][0]["probability"]
    assert typed["passages"] == stored["passages"]
    middle = post("words", "attention", text=text, place=40)
    assert middle["target"] == reader.tokens["train"][41] and middle["subject"]["place"] == 40
    post("words", "attention", 400, text=text, place=9999)
    post("words", "attention", 400, text="")
    post("words", "attention", 400, pixels=[1])
    post("words", "attention", 400, text="a", texts="b")


def test_reading_tells_the_surprise_at_every_token():
    reader = READERS["characters"]
    reading = post("characters", "reading", text="the cat sat on Zoë\n")
    SERVER.validate("Reading", reading)
    assert "".join(reading["texts"]) == "the cat sat on Zoë\n" and reading["bits"][0] is None
    _, logits = reader.read(np.array(reading["tokens"]))
    shifted = logits - logits.max(1, keepdims=True)
    bits = (np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(logits)), np.roll(reading["tokens"], -1)]) / np.log(2)
    assert np.allclose(reading["bits"][1:], bits[:-1], atol=1e-3)
    stored = SERVER.json(f"{base('characters')}/reading?sample=300&count=50")
    SERVER.validate("Reading", stored)
    assert stored["tokens"] == reader.tokens["train"][300:350].tolist() and stored["sample"] == 300
    assert all(b is not None for b in stored["bits"])  # what stands before it is read, too
    assert post("characters", "reading", text="the\r\ncat")["texts"] == list("the\ncat")
    again = SERVER.json(f"{base('words')}/reading?sample=0&count=300")
    assert "<unk>" in "".join(again["texts"])  # and it comes back as the token that it is
    assert post("words", "reading", text="".join(again["texts"]))["tokens"] == again["tokens"]
    unknown = post("characters", "reading", text="日")
    assert unknown["tokens"] == [reader.vocabulary.index("\ufffd")]


def test_heat_is_every_token_against_the_history():
    for name, layer in (("characters", 2), ("deep", 1)):
        reader = READERS[name]
        heat = SERVER.json(f"{base(name)}/heat?sample=500&count=20&layer={layer}")
        SERVER.validate("Heat", heat)
        tokens = reader.tokens["train"][500 - 199:520]
        keys, _ = reader.read(tokens)
        attention = np.abs(reader.keys(layer) @ keys[layer - 1][-20:].T)
        for q, row in enumerate(heat["rows"]):
            best = {}  # every position by its best pattern
            for t in np.argsort(-attention[:, q], kind="stable"):
                best.setdefault(reader.samples[t], attention[t, q])
                if len(best) == 4:
                    break
            for one, value in zip(row["best"], best.values()):
                assert abs(abs(one["attention"]) - value) < 1e-4 * (1 + value), (q, row["best"], best)
            assert abs(row["mean"] - attention[:, q].mean()) < 1e-3
            assert abs(row["deviation"] - attention[:, q].std()) < 1e-3
            assert abs(abs(row["best"][0]["attention"]) - attention[:, q].max()) < 1e-3
            for column, value in zip(heat["columns"], row["attention"]):
                assert abs(abs(value) - attention[column["pattern"], q]) < 1e-3
    typed = post("characters", "heat", text="the old dog sang", count=3, rank="positive")
    SERVER.validate("Heat", typed)
    assert typed["texts"] == ["a", "n", "g"]


def test_strips_are_places_in_their_context_sorted_and_summed():
    for name, n in (("characters", None), ("words", None), ("adam", None), ("attention", 1)):
        reader = READERS[name]
        sample = 100
        answer = SERVER.json(f"{base(name)}/answer?sample={sample}")
        strips = SERVER.json(f"{base(name)}/strips?sample={sample}")["strips"]
        wrong = answer["target"] != answer["predicted"]
        assert [strip["id"] for strip in strips] == ["looks", "for", "against", "label"][:n or 3 + wrong]
        SERVER.validate("Strips", {"run": "0" * 16, "strips": strips, "timing_ms": 1})
        for strip in strips:
            sums = [card["contribution"] for card in strip["cards"]]
            for card in strip["cards"]:
                assert card["tokens"][card["offset"]] == reader.tokens["train"][card["sample"]]
                assert card["tokens"][card["offset"] + 1] == reader.tokens["train"][card["sample"] + 1]
            if strip["id"] == "looks":
                spotlight = SERVER.json(f"{base(name)}/spotlight?sample={sample}&by=sample&k=100")["passages"]
                assert spotlight[0]["places"][0]["sample"] == strip["cards"][0]["sample"]
                assert (sums[0] is None) == (name == "attention")
                continue
            sign = -1 if strip["id"] == "against" else 1
            assert all(sign * one > 0 for one in sums) and sums == sorted(sums, key=lambda one: -sign * one)
            assert abs(sum(sums) - strip["sum"]) < 1e-5 * (1 + abs(strip["sum"]))
            told = {one["token"]: one["correction"] for one in answer["next"]}
            assert abs(told[strip["output"]] - strip["correction"]) < 1e-4 * (1 + abs(strip["correction"]))
    got, _, content = SERVER.ask(f"{base('words')}/why?sample=100&training=3")
    assert got == 404 and b"of text" in content


def test_a_continuation_is_text_and_the_same_again():
    one = post("characters", "continuation", text="the cat ", count=60, seed=2, temperature=0.5)
    SERVER.validate("Continuation", one)
    assert one == post("characters", "continuation", text="the cat ", count=60, seed=2, temperature=0.5)
    assert one != post("characters", "continuation", text="the cat ", count=60, seed=3, temperature=0.5)
    assert len(one["texts"]) == 60 and "\ufffd" not in one["texts"]
    words = post("words", "continuation", text="the cat", count=12, temperature=0)
    assert any(text.startswith(" ") for text in words["texts"]) and "<unk>" not in "".join(words["texts"])
    stored = SERVER.json(f"{base('characters')}/continuation?sample=300&count=5&temperature=0")
    _, logits = READERS["characters"].read(READERS["characters"].context(300))
    logits[-1][READERS["characters"].vocabulary.index("\ufffd")] = -1e9
    assert stored["tokens"][0] == logits[-1].argmax()


def test_documents_and_addresses_of_the_other_kind():
    documents = SERVER.json(f"{base('characters')}/documents")
    SERVER.validate("Documents", documents)
    assert [d["name"] for d in documents["documents"]][:2] == ["part 1.txt", "part 2.txt"]
    for what in ("samples", "samples/5", "images/5.png", "sheet.png", "common", "suspects"):
        SERVER.problem(f"{base('characters')}/{what}", 404)
    SERVER.problem(f"{base('characters')}/attention?sample=999999", 404, "sample")
    SERVER.problem(f"{base('characters')}/reading", 400, "sample")
    SERVER.problem(f"{base('characters')}/reading?sample=1&count=0", 400, "count")
    SERVER.problem(f"{base('characters')}/heat?sample=1&rank=cosine", 400, "rank")
    SERVER.problem(f"{base('characters')}/heat?sample=1&layer=9", 400, "layer")
    SERVER.problem(f"{base('characters')}/reading?sample=1&sample=2", 400, "sample")
    SERVER.problem(f"{base('characters')}/documents?x=1", 400, "x")
    post("characters", "continuation", 400, text="a", temperature="hot")
    post("characters", "continuation", 400, text="a", count=100000)
    for what in ("attention", "heat", "reading", "continuation"):
        for body in ("{", "[1]", "[]", "1", "null", '"a"', "{}", '{"text": 1}', '{"text": "a\\u0000b"}', '{"text": "a", "text": "b"}',
                     '{"text": "a", "sample": 3}', '{"text": "a", "x": 1}', '{"sample": 3}', '{"text": "a", "seed": "0x1", "rank": 1}'):
            status, _, content = SERVER.ask(f"{base('characters')}/{what}", "POST", body, Content_Type="application/json")
            assert status == 400, (what, body, content)
        for body in (b'{"text":"the\0 whale"}', b'{"text":"the whale"}\0', b'{"text":"\xff"}'):
            status, _, content = SERVER.ask(f"{base('characters')}/{what}", "POST", body, Content_Type="application/json")
            assert status == 400, (what, body, content)


def test_everything_described_of_text_is_known():
    api = SERVER.json("/api/v1/openapi.json")
    for what in ("documents", "reading", "heat", "continuation"):
        for p in api["paths"]["/runs/{run}/" + what]["get"]["parameters"]:
            if p["in"] == "query" and not p["required"]:
                status, _, body = SERVER.ask(f"{base('characters')}/{what}?sample=5&{p['name']}=~")
                assert status == 400 and b"at all" not in body, (what, p, body)


def test_query_prints_what_the_api_says():
    path = READERS["characters"].path
    api = post("characters", "attention", text="the cat ", k=3)
    cli = json.loads(tap.succeed("query", path, "--text", "the cat ", "--top", 3, "--json"))
    for answer in (api, cli):
        answer.pop("timing_ms"), answer.pop("scan_ms")
    assert api == cli
    text = tap.succeed("query", path, "--text", "the cat ", "--top", 3)
    assert "the cat[␣]" in text and "expects" in text
    stored = tap.succeed("query", path, "--sample", "test/tale/30", "--remove", "top:5", "--top", 2)
    assert "what follows is" in stored and "no retraining" in stored
    assert "no error signals are recorded" in tap.succeed("query", READERS["attention"].path, "--text", "a")
    for arguments, says in ((("--text", ""), "1 to 2000 tokens"), (("--text", "a", "--sample", "test/tale/1"), "name what"),
                            (("--sample", "test/tale/99999"), "has samples 0 to")):
        done = tap.run("query", path, *arguments)
        assert done.returncode != 0 and says in done.stderr and done.stderr.count("\n") == 1, done


def test_the_report_tells_perplexity_votes_and_positions():
    reader = READERS["characters"]
    report = json.loads(tap.succeed("report", reader.path, "--samples", 20, "--json"))
    SERVER.validate("Report", report)
    n_train, n_test = len(reader.tokens["train"]) - 1, len(reader.tokens["test"]) - 1
    right = first = total = 0
    keys = {layer: reader.keys(layer) for layer in (1, 2)}
    for i in range(20):
        index = i * n_test // 20
        k, logits = reader.read(reader.context(n_train + index))
        target = reader.tokens["test"][index + 1]
        if logits[-1].argmax() != target:
            continue
        right += 1
        attention = np.abs(keys[2] @ k[-1][-1])
        first += reader.targets()[attention.argmax()] == target
        total += np.bincount(reader.targets(), attention).argmax() == target
    vote = [v for v in report["vote"] if v["layer"] == 2][0]["counts"]
    assert vote["right"] == right and vote["target_when_right"] == total
    assert [v for v in report["vote_first"] if v["layer"] == 2][0]["counts"]["target_when_right"] == first
    assert report["most_attended"][0]["sample"]["document"].startswith("part")
    text = tap.succeed("report", reader.path, "--samples", 20)
    assert "perplexity" in text and "most attended" in text
    assert tap.succeed("report", reader.path, "--samples", 20, "--csv").startswith("what,layer")
    assert tap.run("report", reader.path, "--html", os.path.join(FOLDER, "x.html")).returncode == 2
    assert tap.run("suspects", reader.path).returncode == 2


def test_two_texts_of_the_same_numbers_are_two_runs():
    names = []
    for name, words in (("low", "a b c d e f g h "), ("up", "A B C D E F G H ")):
        text = os.path.join(FOLDER, f"{name}.txt")
        with open(text, "w", encoding="utf-8") as file:
            file.write(words * 40)
        path = os.path.join(FOLDER, f"{name}.keylight")
        tap.succeed("train", "--tokens", "words", "--min-count", "1", "--data", f"x={text}", "--hidden", "4", "--embedding", "2",
                    "--batch", "2", "--unroll", "5", "--steps", "3", "--test-share", "0", "--quiet", "--output", path)
        info = json.loads(tap.succeed("info", path, "--json"))
        assert info["test_bits_per_token"] is None and info["test_perplexity"] is None  # there is no test split
        assert info["test_accuracy"] is None
        assert "no test split" in tap.succeed("info", path)
        SERVER.validate("Run", info)
        names.append(info["fingerprint"])
    assert names[0] != names[1]


def test_the_server_said_nothing_on_stderr():
    SERVER.stop()


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
