"""How close the proven integers are to the float model: figures, and the criteria of each kind of model.

classifier  the largest element of every output is at the same place in every test case; mean error within MEAN_LIMIT
regression  mean error within MEAN_LIMIT, largest within MAX_LIMIT
detector    the same candidates (detectors.py); mean error within MEAN_LIMIT
constant    weights without meaning: every value within CONSTANT_LIMIT of the reference
untrained   weights drawn at random, so that nothing is recognised: mean error within MEAN_LIMIT

Errors are relative to an output's range: max - min over the references of all test cases.
"""
from . import detectors

MEAN_LIMIT = 0.01
MAX_LIMIT = 0.05
CONSTANT_LIMIT = 1e-4


def argmax(values):
    return max(range(len(values)), key=values.__getitem__)


def output_figures(got, references):
    """Figures of one output over all cases; got and references: flat lists, one per case."""
    errors = [[abs(a - b) for a, b in zip(g, r, strict=True)] for g, r in zip(got, references, strict=True)]
    low, high = min(map(min, references)), max(map(max, references))
    worst, total = max(map(max, errors)), sum(map(sum, errors))
    span = high - low or 1.0
    return {"cases": len(references), "elements": len(got[0]), "range": [low, high], "worst_absolute": worst,
            "mean": total / sum(map(len, errors)) / span, "max": worst / span,
            "top1": sum(argmax(g) == argmax(r) for g, r in zip(got, references)) if len(got[0]) > 1 else None,
            "equal": sum(g == r for g, r in zip(got, references))}


def figures(m):
    """Figures of every output of a model whose test cases were run."""
    references = {case: [values for _, values in m.references(case)] for case in m.cases}
    outputs = len(references[m.cases[0]])
    return [output_figures([m.inferred[c][k] for c in m.cases], [references[c][k] for c in m.cases])
            for k in range(outputs)]


def percent(share):
    return f"{100 * share:.3f} %"


def judge_mean(m, measured):
    for k, f in enumerate(measured):
        m.check(f"output {k}: mean error", f["mean"] <= MEAN_LIMIT, f"{percent(f['mean'])} of the range")


def judge_regression(m, measured):
    judge_mean(m, measured)
    for k, f in enumerate(measured):
        m.check(f"output {k}: largest error", f["max"] <= MAX_LIMIT, f"{percent(f['max'])} of the range")


def judge_classifier(m, measured):
    """An output of one element is the label itself and must be equal."""
    for k, f in enumerate(measured):
        if f["top1"] is None:
            m.check(f"output {k}: label", f["equal"] == f["cases"], f"{f['equal']} of {f['cases']} agree")
        else:
            m.check(f"output {k}: top-1", f["top1"] == f["cases"], f"{f['top1']} of {f['cases']} agree")
            judge_mean(m, [f])


def judge_constant(m, measured):
    for k, f in enumerate(measured):
        m.check(f"output {k}: largest error", f["worst_absolute"] <= CONSTANT_LIMIT, f"{f['worst_absolute']:.3g}")


def detections(m):
    """Of a detector: one comparison per test case (detectors.compare)."""
    decode = detectors.DECODERS[m.name]
    return [detectors.compare(decode(m.inferred[case]), decode([values for _, values in m.references(case)]))
            for case in m.cases]


def judge_detector(m, measured):
    judge_mean(m, measured)
    for case, found in zip(m.cases, detections(m)):
        m.check(f"{case.name}: there are candidates", found["candidates"] > 0)
        m.check(f"{case.name}: the same candidates", not found["missing"] and not found["extra"],
                f"missing {found['missing'][:3]}, extra {found['extra'][:3]} of {found['candidates']}")
        m.check(f"{case.name}: box coordinates", found["box_error"] <= detectors.BOX_LIMIT,
                f"{percent(found['box_error'])} of the image")


JUDGES = {"classifier": judge_classifier, "regression": judge_regression, "detector": judge_detector,
          "constant": judge_constant, "untrained": judge_mean}


def describe(measured):
    """One line for the log."""
    words = []
    for f in measured:
        top = f", top-1 {f['top1']}/{f['cases']}" if f["top1"] is not None else ""
        words.append(f"mean error {percent(f['mean'])} of the range, largest {percent(f['max'])}{top}")
    return "; ".join(words)


def judge(m, kind):
    measured = figures(m)
    print(f"     {m.name}: {describe(measured)}", flush=True)
    JUDGES[kind](m, measured)
    return measured
