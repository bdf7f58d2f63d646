"""Every view of the API against a recomputation from the file, with NumPy: on a continual run of
two data sets, at every layer."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numpy as np  # noqa: E402
import made_data  # noqa: E402
import tap  # noqa: E402
from client import Server  # noqa: E402
from reader import Reader  # noqa: E402

SERVER = None
RUN = None  # its reader
SAMPLE = 60 + 5  # a test sample of the first data set


class Facts:
    """What the file says of one query, in double precision."""

    def __init__(self, reader, sample):
        self.keys, self.logits = reader.forward(sample)
        self.layers = len(reader.layers)
        self.c, self.alpha = reader.coefficients()
        self.a = [reader.keys(l + 1) @ self.keys[l] for l in range(self.layers)]
        self.d = [reader.errors(l + 1) for l in range(self.layers)]
        self.predicted = int(self.logits.argmax())
        self.samples = reader.samples
        self.classes, self.names = reader.classes()
        self.class_of = self.classes[self.samples]
        self.step = reader.step_of + 1

    def effects(self, reader, at_logits):
        gradients = reader.gradients(self.keys, at_logits)
        return [self.c * (self.a[l] + 1) * (self.d[l] @ gradients[l]) for l in range(self.layers)]


def set_up():
    global SERVER, RUN
    for name, seed, train in (("a", 1, 60), ("b", 2, 40)):
        made_data.idx(os.path.join(FOLDER, name), seed, train=train)
    path = os.path.join(FOLDER, "views.keylight")
    tap.succeed("train", "--data", f"a={FOLDER}/a", "--data", f"b={FOLDER}/b", "--schedule",
                "sequential", "--switch", "60", "--steps", "130", "--batch", "7", "--hidden", "14,10",
                "--lr", "0.03", "--clip", "1", "--weight-decay", "0.001", "--dtype", "float32",
                "--output", path, "--quiet")
    RUN = Reader(path)
    SERVER = Server(path)


def tear_down():
    if SERVER and SERVER.process.poll() is None:
        SERVER.process.kill()


def facts(sample=SAMPLE):
    return Facts(RUN, sample)


def ask(query="", sample=SAMPLE):
    return SERVER.json(f"/api/v1/runs/{RUN.run['fingerprint']}/attention?sample={sample}{query}")


def close(got, expected, tolerance=2e-4):
    got, expected = np.asarray(got, float), np.asarray(expected, float)
    assert got.shape == expected.shape, (got.shape, expected.shape)
    size = np.abs(expected).max() if expected.size else 0
    assert np.abs(got - expected).max(initial=0) <= tolerance * (1 + size), np.abs(got - expected).max()


def test_the_map_is_of_the_two_principal_axes_of_the_last_keys():
    run = SERVER.json("/api/v1/runs")["runs"][0]
    status, _, body = SERVER.ask(f"/api/v1/runs/{run['id']}/map")
    answer = json.loads(body)
    n = sum(split["samples"] for one in run["datasets"] for split in one["splits"].values())
    keys = np.stack([RUN.forward(sample)[0][-1] for sample in range(n)]).astype(float)
    centred = keys - keys.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    assert status == 200 and len(answer["x"]) == len(answer["target"]) == n
    assert np.allclose(answer["share"], values[:-3:-1] / values.sum(), atol=1e-4)
    for got, axis in zip((answer["x"], answer["y"]), vectors[:, :-3:-1].T):
        axis = axis * np.sign(axis[np.abs(axis).argmax()])
        assert np.allclose(got, centred @ axis, atol=2e-4 * np.abs(centred).max())


def test_curves_are_the_largest_of_every_class_sorted():
    fact = facts()
    for layer in (1, 2, 3):
        a = fact.a[layer - 1]
        curves = ask(f"&layer={layer}&views=curves")["curves"]
        assert [(c["dataset"], c["label"]) for c in curves] == [("ab"[d], l) for d, l in fact.names]
        for number, curve in enumerate(curves):
            mine = np.flatnonzero(fact.class_of == number)
            order = mine[np.argsort(-np.abs(a[mine]), kind="stable")][:500]
            close(np.abs(curve["attention"]), np.abs(a[order]))
            assert all(fact.classes[s] == number for s in curve["sample"])
            seen = set(zip(fact.samples.tolist(), fact.step.tolist()))
            assert all(pair in seen for pair in zip(curve["sample"], curve["step"]))


def test_totals_of_classes_are_those_of_the_file():
    fact = facts()
    for layer in (1, 2, 3):
        a = fact.a[layer - 1]
        for number, total in enumerate(ask(f"&layer={layer}")["by_class"]):
            mine = a[fact.class_of == number]
            close([total["sum_abs"], total["sum_positive"], total["sum_negative"], total["patterns"]],
                  [np.abs(mine).sum(), mine[mine > 0].sum(), mine[mine < 0].sum(), len(mine)])


def test_attention_over_training_time_is_split_by_step_and_class():
    fact = facts()
    assert SERVER.json("/api/v1/runs")["runs"][0]["switches"] == [60]
    for layer in (1, 3):
        time = ask(f"&layer={layer}&views=time")["time"]
        first = np.array(time["first_steps"])
        assert len(first) == 100 and first[0] == 1
        bins = np.searchsorted(first, fact.step, side="right") - 1
        a = fact.a[layer - 1]
        for name, part in (("sum_abs", np.abs(a)), ("sum_positive", np.maximum(a, 0)),
                           ("sum_negative", np.minimum(a, 0))):
            expected = np.zeros((len(fact.names), 100))
            np.add.at(expected, (fact.class_of, bins), part)
            close(time[name], expected)
        contributions = fact.c[:, None] * fact.d[2] * (fact.a[2] + 1)[:, None]
        dataset = np.array([fact.names[c][0] for c in fact.class_of])
        expected = np.zeros((2, 100, contributions.shape[1]))
        np.add.at(expected, (dataset, bins), contributions)
        close(time["contributions"], expected)
        # Nothing of the first data set is attended to after the switch, nor of the second before.
        assert np.abs(np.array(time["sum_abs"])[4:, first + 1 < 60][:, :-1]).sum() == 0


def test_totals_per_training_sample_are_sums_over_its_repetitions():
    fact = facts()
    for layer, rank in ((1, "abs"), (2, "positive"), (3, "logit")):
        samples = ask(f"&layer={layer}&rank={rank}&views=samples")["samples"]
        a = fact.a[layer - 1]
        ids, counts = np.unique(fact.samples, return_counts=True)
        assert samples["id"] == ids.tolist() and samples["repetitions"] == counts.tolist()
        assert samples["class"] == fact.classes[ids].tolist()
        total = lambda values: np.bincount(fact.samples, values)[ids]
        close(samples["sum"], total(a))
        close(samples["sum_abs"], total(np.abs(a)))
        effect = fact.effects(RUN, np.eye(4)[fact.predicted])[layer - 1]
        close(samples["score"], total({"abs": np.abs(a), "positive": a, "logit": effect}[rank]))


def test_logits_are_explained_by_class_exactly():
    fact = facts()
    contributions = fact.c[:, None] * fact.d[2] * (fact.a[2] + 1)[:, None]
    answer = ask("&layer=2")
    matrix = np.array([total["contributions"] for total in answer["by_class"]])
    expected = np.zeros_like(matrix)
    np.add.at(expected, fact.class_of, contributions)
    close(matrix, expected)
    close(matrix.sum(0), answer["correction"])
    close(np.array(answer["initial_guess"]) + answer["correction"], answer["logits"])


def test_how_the_answer_was_learned_is_the_network_as_it_was_then():
    for sample in (SAMPLE, SAMPLE + 1, 84 + 40 + 3):
        learning = ask("&views=learning", sample)["learning"]
        steps = learning["steps"]
        assert steps[0] == 0 and steps[-1] == 130 and len(steps) > 50 and steps == sorted(steps)
        logits = [RUN.forward(sample, lambda l: RUN.parameters("initial", l))[1]]
        logits += [RUN.forward(sample, lambda l: RUN.snapshot(step, l))[1] for step in steps[1:-1]]
        logits += [RUN.forward(sample)[1]]
        close(learning["logits"], logits)
        said = np.argmax(logits, 1)
        right = np.flatnonzero(said == said[-1])
        assert learning["first_won"] == steps[right[0]]
        changed = np.flatnonzero(said != said[-1])
        assert learning["last_changed"] == steps[changed[-1] + 1 if len(changed) else 0]


def test_a_snapshot_is_the_dual_form_with_its_coefficients_restarted_there():
    step, steps = 90, RUN.steps[:90]
    p, q, c = 1.0, 0.0, np.zeros(step)
    for i in reversed(range(step)):
        q -= steps[i]["learning_rate"] * p
        c[i] = steps[i]["clip_factor"] * q
        p += steps[i]["weight_decay"] * q
        q *= steps[i]["momentum"]
    assert step in ask("&views=learning")["learning"]["steps"]
    for layer in (1, 2, 3):
        seen = RUN.step_of < step
        values = c[RUN.step_of[seen], None] * RUN.errors(layer)[seen]
        w0, _ = RUN.parameters("initial", layer)
        w, _ = RUN.snapshot(step, layer)
        close(p * w0 + values.T @ RUN.keys(layer)[seen], w, 1e-5)


def test_ranks_order_by_what_they_say():
    fact = facts()
    target = int(RUN.column("target")[SAMPLE])
    p = np.exp(fact.logits - fact.logits.max())
    p /= p.sum()
    for layer in (1, 2, 3):
        a = fact.a[layer - 1]
        norms = np.linalg.norm(RUN.keys(layer), axis=1) * np.linalg.norm(fact.keys[layer - 1])
        effect = fact.effects(RUN, np.eye(4)[2])
        loss = sum(fact.effects(RUN, p - np.eye(4)[target]))
        scores = {"abs": np.abs(a), "positive": a, "negative": -a, "cosine": a / norms,
                  "logit:2": effect[layer - 1], "against:2": -effect[layer - 1], "effect:2": sum(effect), "proponents": -loss,
                  "opponents": loss}
        for rank, score in scores.items():
            for by in ("pattern", "sample"):
                answer = ask(f"&layer={layer}&rank={rank}&by={by}&k=15")
                assert answer["target"] == target and answer["rank"] == rank.split(":")[0]
                if by == "sample":
                    ids, counts = np.unique(fact.samples, return_counts=True)
                    totals = np.bincount(fact.samples, score)
                    close([lit["score"] for lit in answer["spotlight"]], np.sort(totals[ids])[::-1][:15])
                    close([lit["score"] for lit in answer["spotlight"]],
                          [totals[lit["sample"]["id"]] for lit in answer["spotlight"]])
                else:
                    close([lit["score"] for lit in answer["spotlight"]], np.sort(score)[::-1][:15])
                    close([lit["score"] for lit in answer["spotlight"]],
                          [score[lit["pattern"]] for lit in answer["spotlight"]])


def resource(name, sample, query=""):
    return SERVER.json(f"/api/v1/runs/{RUN.run['fingerprint']}/{name}?sample={sample}{query}")


def test_strips_are_the_samples_that_argue_and_sum_to_what_they_say():
    target = RUN.column("target")
    for sample in range(60, 60 + 24):
        fact = facts(sample)
        ids = np.unique(fact.samples)
        parts = {output: np.bincount(fact.samples, fact.effects(RUN, np.eye(4)[output])[2]) for output in range(4)}
        attention = np.bincount(fact.samples, fact.a[2])
        by_abs = np.bincount(fact.samples, np.abs(fact.a[2]))
        said, label = fact.predicted, int(target[sample])
        expected = {"looks": (by_abs, said), "for": (parts[said], said), "against": (-parts[said], said)}
        if label != said:
            expected["label"] = (parts[label], label)
        strips = resource("strips", sample)["strips"]
        assert [strip["id"] for strip in strips] == list(expected)
        for strip in strips:
            score, output = expected[strip["id"]]
            best = np.sort(score[ids])[::-1][:10]
            best = best if strip["id"] == "looks" else best[best > 0]
            found = [card["sample"]["id"] for card in strip["cards"]]
            assert len(set(found)) == len(found) == len(best) and strip["output"] == output
            close(score[found], best)
            close([card["contribution"] for card in strip["cards"]], parts[output][found])
            close([card["attention"] for card in strip["cards"]], attention[found])
            close(strip["sum"], parts[output][found].sum())
            close(strip["correction"], parts[output].sum())
            assert strip["samples"] == len(ids) and f"{len(ids)}" in strip["sentence"]


def test_why_is_the_arithmetic_of_every_showing():
    fact = facts()
    for card in resource("strips", SAMPLE)["strips"][1]["cards"][:4]:
        sample = card["sample"]["id"]
        for logit in range(4):
            why = resource("why", SAMPLE, f"&training={sample}&rank=logit:{logit}")
            shown = np.flatnonzero(fact.samples == sample)
            assert [one["pattern"] for one in why["showings"]] == list(shown) and why["logit"] == logit
            close([one["attention"] for one in why["showings"]], fact.a[2][shown])
            close([one["coefficient"] for one in why["showings"]], fact.c[shown])
            close([one["error"] for one in why["showings"]], fact.d[2][shown, logit])
            close([one["contribution"] for one in why["showings"]], fact.c[shown] * fact.d[2][shown, logit] * (fact.a[2][shown] + 1))
            close(why["products"], RUN.keys(1)[shown[0]] * fact.keys[0])
    for bad in ("", "&training=61", "&training=x", "&training=9999"):
        assert SERVER.ask(f"/api/v1/runs/{RUN.run['fingerprint']}/why?sample={SAMPLE}{bad}")[0] in (400, 404), bad


def without(fact, removed):
    """The logits of what is left of the memory."""
    x = fact.keys[0]
    for l in range(fact.layers):
        w0, b0 = RUN.parameters("initial", l + 1)
        values = (fact.c * ~removed)[:, None] * fact.d[l]
        x = fact.alpha * (w0 @ x + b0) + values.T @ (RUN.keys(l + 1) @ x + 1)
        x = np.maximum(x, 0) if l + 1 < fact.layers else x
    return x


def test_removal_runs_the_query_through_what_is_left():
    fact = facts()
    lit = ask("&layer=2&k=9")["spotlight"]
    lit_samples = {one["sample"]["id"] for one in ask("&layer=2&by=sample&k=3")["spotlight"]}
    dataset = np.array([fact.names[c][0] for c in fact.class_of])
    cases = {
        "class:3": fact.class_of == 3, "class:3,class:6": np.isin(fact.class_of, [3, 6]),
        "dataset:b": dataset == 1, "dataset:a,steps:100-110": (dataset == 0) | ((fact.step >= 100) & (fact.step <= 110)),
        "steps:1-1": fact.step == 1, "sample:3,sample:90": np.isin(fact.samples, [3, 90]),
        "top:9": np.isin(np.arange(len(fact.c)), [one["pattern"] for one in lit]),
    }
    for terms, removed in cases.items():
        answer = ask(f"&layer=2&remove={terms}")["removed"]
        assert answer["patterns"] == removed.sum(), terms
        close(answer["logits"], without(fact, removed), 1e-3)
        assert answer["predicted"] == int(np.argmax(answer["logits"]))
        assert abs(sum(answer["probabilities"]) - 1) < 1e-5
    answer = ask("&layer=2&by=sample&remove=top:3")["removed"]
    close(answer["logits"], without(fact, np.isin(fact.samples, list(lit_samples))), 1e-3)


def test_removing_nothing_changes_nothing_and_removing_everything_leaves_the_initial_guess():
    fact = facts()
    nothing = ask("&remove=")
    assert nothing["removed"]["patterns"] == 0
    close(nothing["removed"]["logits"], nothing["logits"], 1e-5)
    everything = ask("&remove=all")["removed"]
    assert everything["patterns"] == len(fact.c)
    x = fact.keys[0]
    for l in range(fact.layers):
        w0, b0 = RUN.parameters("initial", l + 1)
        x = fact.alpha * (w0 @ x + b0)
        x = np.maximum(x, 0) if l + 1 < fact.layers else x
    close(everything["logits"], x, 1e-5)


def test_the_largest_top_is_removed_of_several():
    assert ask("&remove=top:5,top:2")["removed"]["patterns"] == 5


def test_a_member_given_twice_is_refused_and_a_later_rank_forgets_the_logit():
    run = RUN.run["fingerprint"]
    body = '{"pixels": %s, "rank": "logit:3", "rank": "abs"}' % json.dumps([0] * 36)
    status, _, content = SERVER.ask(f"/api/v1/runs/{run}/attention", "POST", body, Content_Type="application/json")
    assert status == 400 and b"given twice" in content


def test_given_pixels_take_the_standardisation_of_their_data_set():
    run = RUN.run["fingerprint"]
    stored = RUN.db.execute("SELECT data, first FROM image_chunk ORDER BY first").fetchall()
    pixels = np.concatenate([np.frombuffer(row["data"], np.uint8).reshape(-1, 36) for row in stored])
    sample = 84 + 40 + 3  # of the second data set
    for dataset, expected in (("b", True), ("a", False)):
        body = json.dumps({"pixels": pixels[sample].tolist(), "dataset": dataset})
        _, _, content = SERVER.ask(f"/api/v1/runs/{run}/attention", "POST", body, Content_Type="application/json")
        same = np.allclose(json.loads(content)["logits"], ask("", sample)["logits"], atol=1e-5)
        assert same == expected


def test_what_cannot_be_removed_is_refused_with_its_rule():
    run = RUN.run["fingerprint"]
    for terms, says in (("class:8", "class:NUMBER"), ("dataset:c", "dataset:NAME"), ("steps:0-3", "steps:FIRST"),
                        ("steps:9-3", "steps:FIRST"), ("steps:1-131", "steps:FIRST"), ("top:x", "top:N"),
                        ("sample:148", "sample:ID"), ("everything", "its terms are"),
                        (",".join(["class:1"] * 65), "more than 64"), ("sample:60", "of a training sample"),
                        ("class:1,", "comma"), (",class:1", "its terms are"), ("x" * 300, "too long")):
        status, _, content = SERVER.ask(f"/api/v1/runs/{run}/attention?sample=1&remove={terms}")
        assert status == 400 and says in content.decode(), (terms, status, content)
    for query, says in (("views=walls", "views is a list"), ("rank=abs:1", "rank is"), ("rank=proponents:1", "rank is"),
                        ("rank=effect:4", "rank is"), ("class=8", "class is 0 to 7")):
        status, _, content = SERVER.ask(f"/api/v1/runs/{run}/attention?sample=1&{query}")
        assert status == 400 and says in content.decode(), (query, status, content)


def attention_of_all(layer, ids):
    """|a| of all patterns for many queries: (patterns, queries); and the logits."""
    keys = RUN.keys(layer)
    traces = [RUN.forward(i) for i in ids]
    return keys @ np.array([trace[0][layer - 1] for trace in traces]).T, np.array([t[1] for t in traces])


def test_common_samples_are_counted_over_test_queries():
    ids = [i for i, split in enumerate(RUN.column("split")) if split == "test"]
    samples = RUN.samples
    for layer in (1, 2, 3):
        a, _ = attention_of_all(layer, ids)
        norms = np.linalg.norm(RUN.keys(layer), axis=1)[:, None]
        for rank, score in (("abs", np.abs(a)), ("positive", a), ("negative", -a), ("cosine", a / norms)):
            for by in ("pattern", "sample"):
                got = SERVER.json(f"/api/v1/runs/{RUN.run['fingerprint']}/common?layer={layer}&rank={rank}&by={by}")
                assert got["queries"] == len(ids) == 48 and got["top"] == 10
                counts = np.zeros(148)
                for q in range(len(ids)):
                    if by == "sample":
                        seen, totals = np.unique(samples), np.bincount(samples, score[:, q])
                        best = seen[np.argsort(-totals[seen], kind="stable")[:10]]
                    else:
                        best = set(samples[np.argsort(-score[:, q], kind="stable")[:10]].tolist())
                    counts[list(best)] += 1
                expected = {i: n / 48 for i, n in enumerate(counts) if n}
                shares = {one["id"]: one["share"] for one in got["samples"]}
                # Ties in the last digit may go either way.
                wrong = sum(abs(shares.get(i, 0) - expected.get(i, 0)) > 1e-6 for i in {*shares, *expected})
                assert wrong <= 2, (layer, rank, by, wrong)
                order = [one["share"] for one in got["samples"]]
                assert order == sorted(order, reverse=True)
    status, _, content = SERVER.ask(f"/api/v1/runs/{RUN.run['fingerprint']}/common?rank=logit")
    assert status == 400 and b"cosine here" in content


def test_the_report_is_what_the_file_gives():
    report = json.loads(tap.succeed("report", RUN.path, "--json"))
    ids = [i for i, split in enumerate(RUN.column("split")) if split == "test"]
    fact = facts()
    target, dataset = RUN.column("target"), RUN.column("dataset")
    assert report["samples"] == len(ids)
    for layer in (1, 2, 3):
        a, logits = attention_of_all(layer, ids)
        totals = np.array([np.abs(a[fact.class_of == c]).sum(0) for c in range(8)])
        said, vote = logits.argmax(1), totals.argmax(0)
        right = said == target[ids]
        for d, name in enumerate("ab"):
            mine = dataset[ids] == d
            shared = (totals[:4] + totals[4:]).argmax(0)  # classes of one output are one
            for table, own, output in (("vote", shared == target[ids], shared),
                                       ("vote_by_dataset_class", vote == fact.classes[ids], vote % 4)):
                got, = [v for v in report[table] if v["layer"] == layer and v["dataset"] == name]
                assert got["counts"] == {
                    "right": (mine & right).sum(), "wrong": (mine & ~right).sum(),
                    "target_when_right": (mine & right & own).sum(), "target_when_wrong": (mine & ~right & own).sum(),
                    "output_when_wrong": (mine & ~right & (output == said)).sum()}, table
            for key, of in (("target_when_right", "right"), ("target_when_wrong", "wrong"), ("output_when_wrong", "wrong")):
                n = got["counts"][of]
                assert got[key] is None if n == 0 else abs(got[key] - got["counts"][key] / n) < 1e-6
            inside = np.where((np.arange(8) // 4 == d)[:, None], totals, -1).argmax(0)
            got, = [v for v in report["vote_within"] if v["layer"] == layer and v["dataset"] == name]
            assert got["counts"]["target_when_right"] == (mine & right & (inside == fact.classes[ids])).sum()
            assert got["counts"]["output_when_wrong"] == (mine & ~right & (inside % 4 == said)).sum()
            for e, trained in enumerate("ab"):
                part = totals[4 * e:4 * e + 4][:, mine]
                got, = [v for v in report["attention"] if (v["layer"], v["dataset"], v["trained"]) == (layer, name, trained)]
                close([got["share"], got["mean_over_deviation"]],
                      [(part.sum(0) / totals[:, mine].sum(0)).mean(), (part.mean(0) / part.std(0)).mean()])
        by_sample = np.array([np.bincount(fact.samples, np.abs(a[:, q]), minlength=148) for q in range(len(ids))])
        best = np.argsort(-by_sample, axis=1)[:, :10]
        most = [v for v in report["most_attended"] if v["layer"] == layer]
        assert [v["sample"]["id"] for v in most] == np.argsort(-by_sample.sum(0))[:10].tolist()
        close([v["share"] for v in most], np.sort(by_sample.sum(0))[::-1][:10] / by_sample.sum())
        close([v["top_ten"] for v in most], [(best == v["sample"]["id"]).any(1).mean() for v in most], 0.03)
    for row in report["accuracy"]:
        mine = (dataset == "ab".index(row["dataset"])) & (RUN.column("split") == row["split"])
        assert abs(row["accuracy"] - (RUN.column("predicted") == target)[mine].mean()) < 1e-6


def test_the_report_comes_as_text_table_and_page():
    text = tap.succeed("report", RUN.path, "--samples", 10)
    for part in ("class vote", "share of |a|", "After step 60: b.", "in the top ten of", "accuracy on a test"):
        assert part in text, part
    rows = tap.succeed("report", RUN.path, "--samples", 10, "--csv").splitlines()
    assert rows[0] == "what,layer,asked,trained,item,value" and all(row.count(",") == 5 for row in rows)
    page = os.path.join(FOLDER, "report.html")
    assert tap.succeed("report", RUN.path, "--samples", 10, "--html", page) == ""
    html = open(page, encoding="utf-8").read()
    inside = dict(re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', html))
    report = json.loads(tap.succeed("report", RUN.path, "--samples", 10, "--json"))
    measured = {"seconds": None, "gflops": None}
    assert {**json.loads(inside["data"]), **measured} == {**report, **measured}
    pictures = json.loads(inside["pictures"])
    assert sorted(pictures) == sorted({str(most["sample"]["id"]) for most in report["most_attended"]})
    assert all(picture.startswith("data:image/png;base64,") for picture in pictures.values())
    assert not re.search(r'(src|href)="|@import|url\(', html) and "@REPORT@" not in html  # needs nothing else
    done = tap.run("report", RUN.path, "--html", os.path.join(FOLDER, "none", "report.html"))
    assert done.returncode == 1 and "cannot write" in done.stderr
    assert tap.run("report", RUN.path, "--csv", "--json").returncode == 2
    with open(RUN.path, "rb") as file:
        before = file.read()
    done = tap.run("report", RUN.path, "--html", RUN.path)
    assert done.returncode == 1 and "is the run itself" in done.stderr
    with open(RUN.path, "rb") as file:
        assert file.read() == before
    link = os.path.join(FOLDER, "link.html")
    os.symlink(page, link)
    tap.succeed("report", RUN.path, "--samples", 3, "--html", link)
    assert os.path.islink(link) and '"samples":3,' in open(page, encoding="utf-8").read()
    assert [name for name in os.listdir(FOLDER) if name.startswith(("report.html.", "views.keylight."))] == []


def auc(score, flipped):
    wins = (score[flipped][:, None] > score[~flipped]).mean()
    return wins + (score[flipped][:, None] == score[~flipped]).mean() / 2


def test_suspects_are_scored_as_documented_and_find_flipped_labels():
    path = os.path.join(FOLDER, "noise.keylight")
    made_data.idx(os.path.join(FOLDER, "many"), 5, train=300, side=8)
    tap.succeed("train", "--data", f"many={FOLDER}/many", "--label-noise", "0.1", "--steps", "200", "--batch", "16",
                "--hidden", "20,12", "--lr", "0.02", "--dtype", "float32", "--output", path, "--quiet")
    run = Reader(path)
    listed = json.loads(tap.succeed("suspects", path, "--json", "--top", 400))
    got = {**listed, "suspects": [one for one in listed["suspects"] if one["sample"]["split"] == "train"]}
    d3 = 16 * run.errors(3)
    own = np.bincount(run.samples, (d3 ** 2).sum(1))[:300]
    label, true = run.column("label")[:300], run.column("true_label")[:300]
    x = run.images()[:300]
    cosines = x @ x.T / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=1))
    np.fill_diagonal(cosines, -2)
    near = np.argsort(-cosines, axis=1)[:, :10]
    others = (label[near] != label[:, None]).mean(1)
    loss = np.bincount(run.samples, -np.log(1 + d3[np.arange(len(d3)), label[run.samples]]))
    score = own / own.std() + 4 * others
    assert got["total"] == 324 and got["next"] is None and len(got["suspects"]) == 300
    ids = np.array([one["sample"]["id"] for one in got["suspects"]])
    for name, expected in (("own", own / own.std()), ("others", others), ("score", score), ("loss", loss)):
        close([one[name] for one in got["suspects"]], expected[ids], 1e-3)
    order = [one["score"] for one in listed["suspects"]]
    assert order == sorted(order, reverse=True)
    held = [one for one in listed["suspects"] if one["sample"]["split"] == "test"]
    answers = np.array([run.forward(one["sample"]["id"])[1] for one in held])
    p = np.exp(answers - answers.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    y = np.eye(4)[[one["sample"]["label"] for one in held]]
    close([one["own"] for one in held], ((p - y) ** 2).sum(1) * len(run.samples) / 300 / own.std(), 1e-3)
    for one in got["suspects"]:
        votes = np.bincount(label[near[one["sample"]["id"]]], minlength=4)
        mine = one["sample"]["label"]
        if one["suggested"] is None:
            assert votes.max() == votes[mine]
        else:
            assert votes[one["suggested"]["label"]] == votes.max() > votes[mine]
            close(one["suggested"]["share"], votes.max() / 10)
    flipped = label != true
    assert flipped.sum() == 30
    for name, values in (("score", score), ("own", own), ("loss", loss)):
        assert abs(got["auc"][name] - auc(values, flipped)) < 2e-3
    assert got["auc"]["score"] > 0.9
    rows = tap.succeed("suspects", path, "--csv").splitlines()
    assert len(rows) == 325 and rows[1].startswith("1,many,")
    assert "ROC AUC" in tap.succeed("suspects", path)
    clean = json.loads(tap.succeed("suspects", RUN.path, "--json"))
    assert clean["auc"] is None and len(clean["suspects"]) == 20 and clean["next"]


def test_suspects_come_in_pages():
    base = f"/api/v1/runs/{RUN.run['fingerprint']}/suspects?limit=40"
    first = SERVER.json(base)
    pages, page = [first], first
    while page["next"]:
        page = SERVER.json(f"{base}&next={page['next']}")
        pages.append(page)
    ids = [one["sample"]["id"] for page in pages for one in page["suspects"]]
    assert len(ids) == len(set(ids)) == first["total"] == 148
    assert [one["rank"] for page in pages for one in page["suspects"]] == list(range(1, 149))


def test_every_view_is_as_the_description_says():
    import jsonschema
    api = SERVER.json("/api/v1/openapi.json")
    schema = {"$ref": "#/components/schemas/Attention", "components": api["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    for query in ("", "&views=curves,time,samples,learning", "&remove=top:3", "&layer=1&rank=cosine&class=7"):
        wrong = [error.message[:200] for error in validator.iter_errors(ask(query))]
        assert not wrong, (query, wrong[:3])
    run = f"/api/v1/runs/{RUN.run['fingerprint']}"
    for name, document in (("Common", SERVER.json(f"{run}/common")), ("Suspects", SERVER.json(f"{run}/suspects")),
                           ("Report", json.loads(tap.succeed("report", RUN.path, "--json")))):
        schema["$ref"] = f"#/components/schemas/{name}"
        wrong = [error.message[:200] for error in jsonschema.Draft202012Validator(schema).iter_errors(document)]
        assert not wrong, (name, wrong[:3])


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
