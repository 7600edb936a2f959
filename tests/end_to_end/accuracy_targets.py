"""Accuracy as the compiler promises it: targets that are met and that cannot be, clipped ranges, guessed ranges."""
import json
import shutil

from .harness import run, tail


def compile_to(m, name, *options, calibration=True, code=0):
    """What `compile --json --emit-only` says of a compilation with these options, and its stderr; both None-like on failure."""
    samples = ["--calibration", m.data / "calibration"] if calibration else []
    got, out, err = run([m.mica, "compile", m.onnx, *samples, "--emit-only", "--json", "-o", m.work / name, *options])
    m.check(f"compile {' '.join(map(str, options))}", got == code, f"exit code {got}, expected {code}: {tail(out + err)}")
    return json.loads(out) if got == 0 else {}, err


def met(m):
    """A target that can be reached is, on the samples, at the least cost of what was tried."""
    costs = []
    for percent in ("2", "0.05", "0.02"):
        summary, _ = compile_to(m, f"error{percent}", "--max-error", percent)
        search = summary.get("search", {})
        worst = max((o["mean"] for o in summary.get("accuracy", {}).get("outputs", [])), default=1)
        m.check(f"--max-error {percent} is met", search.get("met") and worst <= float(percent) / 100,
                f"mean error {100 * worst} %")
        costs.append(search.get("taken", {}).get("prove_seconds", 0))
        cheaper = [r for r in search.get("rungs", []) if r["lowered"] and r["prove_seconds"] < costs[-1]]
        m.check(f"--max-error {percent}: what would be cheaper errs more",
                all(r["mean_error"] > float(percent) / 100 for r in cheaper), str(cheaper))
    m.check("a stricter target costs more, if anything", costs == sorted(costs), str(costs))
    summary, _ = compile_to(m, "agreement", "--min-agreement", "100")
    accuracy = summary.get("accuracy", {"outputs": []})
    m.check("--min-agreement 100 is met", bool(accuracy["outputs"]) and
            all(o["top1_agree"] == accuracy["samples"] for o in accuracy["outputs"]), str(accuracy))


def unreachable(m):
    """A target that no widths reach fails the compilation, with what was reached, and leaves nothing behind."""
    _, err = compile_to(m, "unreachable", "--max-error", "0.0000001", code=1)
    m.check("the message says what was reached, and where precision is lost",
            "no choice of widths meets the target" in err and "the best has a mean error of" in err and
            "most precision is lost at value" in err, err)
    left = sorted(p.name for p in m.work.glob("unreachable*"))
    m.check("an unreachable target leaves nothing behind", not left, str(left))
    for options in (("--max-error", "-1"), ("--max-error", "101"), ("--min-agreement", "much"), ("--ranges", "wide"),
                    ("--ranges", "percentile=0")):
        compile_to(m, "misused", *options, code=2)
    for options in (("--max-error", "1"), ("--min-agreement", "90"), ("--ranges", "mse")):
        _, err = compile_to(m, "misused", *options, calibration=False, code=2)
        m.check(f"{options[0]} without samples: the message asks for them", "--calibration" in err, err)


def told(m):
    """The summary says where precision is lost and what finer widths would give."""
    summary, _ = compile_to(m, "told", "--max-error", "1")
    finer, losses = summary.get("search", {}).get("finer", []), summary.get("losses", [])
    m.check("finer widths are told, for all values first", len(finer) > 1 and finer[0]["value"] is None and
            all(f["value"] for f in finer[1:]) and all(f["complete"] for f in finer), str(finer))
    m.check("finer widths for all values err less", finer and
            finer[0]["mean_error"] < summary["search"]["taken"]["mean_error"], str(finer))
    added = [loss["added"] for loss in losses]
    m.check("losses are told, the worst first", added and added == sorted(added, reverse=True), str(losses))
    m.check("layers have their errors", any(layer.get("error", {}).get("added", 0) > 0 for layer in summary["layers"]))
    page = (m.work / "told.report.html").read_text()
    m.check("the report has them, too", losses and losses[0]["value"] in page and "where precision is lost" in page)


def ranges(m):
    """Clipped ranges are recorded, and an audit makes the same parameters of them."""
    for number, choice in enumerate(("max", "mse", "percentile=99.9")):
        name = f"ranges{number}"
        compile_to(m, name, "--ranges", choice)
        code, out, err = run([m.mica, "audit", m.onnx, "--calibration", m.data / "calibration", m.work / f"{name}.vk"])
        m.check(f"--ranges {choice}: audited", code == 0, tail(out + err))


def guesses(m):
    """Without samples, or with few, the compiler names the ranges that are guesses."""
    summary, err = compile_to(m, "guessed", calibration=False)
    named = [r["value"] for r in summary.get("ranges", []) if r["guess"]]
    m.check("without samples every range is a guess", "no calibration samples" in err and named and
            f"'{named[0]}'" in err and summary["accuracy"]["guessed"], err)
    few = m.work / "few"
    shutil.rmtree(few, ignore_errors=True)
    few.mkdir()
    for case in sorted((m.data / "calibration").iterdir())[:1]:
        shutil.copytree(case, few / case.name)
    code, out, err = run([m.mica, "compile", m.onnx, "--calibration", few, "--emit-only", "--json", "-o", m.work / "few-samples"])
    m.check("one sample: the ranges that are guesses are named", code == 0 and "1 calibration sample, fewer than 8" in err and
            "ranges that are guesses" in err, err)
    named = [r for r in json.loads(out)["ranges"] if r["guess"]] if code == 0 else []
    m.check("one sample: they are in the summary", bool(named), tail(err))


GROUPS = (met, unreachable, told, ranges, guesses)
