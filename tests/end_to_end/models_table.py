"""docs/models.md, from figures as measuring.py has them."""
import os

from . import detectors, judging
from .zoo import GENERATED, OWN, ZOO

OLDER = r"\*"
MOST_CLASSES = 1000  # an output of more elements is no list of classes

PREAMBLE = """# Models

Written by `tests/models.sh --table`. Every model is compiled from its calibration cases alone, with default options.
Its test cases, which calibration never sees, are then run by the prover executable and compared with the outputs of a
float runtime; each one is proven, and the proof verified with the input given.
"""

SIZES = """## What they are

Operators are those of the ONNX file, with their number of nodes. Parameters count the real constants of the file, and
multiply-accumulates (MACs) what the compiled network does for one input. The models of other projects are not part of this
repository; they are the files of the repositories named here, byte for byte.

"""

ACCURACY = """## How exact they are

*Bits* are the widths that the compiler chose for activations and weights, over the layers: least to most, and in
parentheses the one that most layers have. Errors are differences of the proven outputs, times their scale, from the float
outputs of the test cases, in percent of the range that the float outputs span (largest minus smallest, over all test
cases); *mean* over all elements and cases, *largest* of all. Of several outputs the worst counts. The errors of a
detector are over all its boxes, those included in which it sees nothing.

What is asked of all but the last kind is a mean error of at most {mean:g} %. Beyond that: of a classifier, the same largest
element in every case; of a regression, at most {largest:g} % anywhere; of a detector, the same candidates at a score threshold
of {threshold:g} (unless the float score lies within {margin:g} of it) and boxes within {box:g} % of the image; of an untrained network,
whose weights are drawn at random, nothing. Networks whose weights are one constant must be within {constant:g} absolutely.

""".format(mean=100 * judging.MEAN_LIMIT, largest=100 * judging.MAX_LIMIT, constant=judging.CONSTANT_LIMIT,
           threshold=detectors.THRESHOLD, margin=detectors.SCORE_MARGIN, box=100 * detectors.BOX_LIMIT)

COST = """## What a proof costs

*Prove* and *verify* are medians, and after the stroke the least, of that many proofs of random inputs, each of which was
verified; the prover has read its weights before. Proof sizes exclude inputs and outputs. *Memory* is the peak of the
process that makes and verifies these proofs. *Compile* is wall-clock time, and after the stroke processor time; it
includes the search for widths, the C compiler and a proof of one sample.

"""


def grouped(n):
    return f"{n:,}"


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def origin(entry, source):
    if entry is OWN:
        return "`models/lenet5`"
    if entry in GENERATED:
        return "`models/make_models.py`"
    address = source["repository"]
    return f"[{'/'.join(address.split('/')[-2:])}]({address})"


def licence(source):
    return source["licence"].split(" (")[0].split(" for ")[0].split(":")[0].split(";")[0]


def label(entry, known):
    return f"`{entry.name}`" + (OLDER if known["older"] else "")


def sizes(measured):
    for entry, known in measured:
        source, done = known["source"], known["compilation"]
        operators = ", ".join(f"{name} {n}" if n > 1 else name for name, n in known["operators"].items())
        yield [f"`{entry.name}`", source["kind"].split(", seeded")[0], source["weights"].split(" (")[0],
               origin(entry, source), licence(source), operators, grouped(done["parameters"]), grouped(done["macs"])]


def bits(widths):
    """least to most (usual) of {bits: layers}; keys are text once they have been in a JSON file."""
    counts = {int(width): n for width, n in widths.items()}
    if not counts:
        return "none"
    usual = max(counts, key=lambda width: (counts[width], width))
    return f"{min(counts)} to {max(counts)} ({usual})" if len(counts) > 1 else str(usual)


def percent(share):
    value = 100 * share
    return "0" if value == 0 else f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def agreement(entry, known):
    if entry.kind == "detector":
        found = known["detections"]
        missing, extra = (sum(len(f[what]) for f in found) for what in ("missing", "extra"))
        boxes = percent(max(f["box_error"] for f in found))
        same = "the same candidates" if missing + extra == 0 else f"{missing} candidates missing, {extra} more"
        return f"{same}, boxes within {boxes} %"
    if entry.kind == "constant":
        return f"within {max(f['worst_absolute'] for f in known['outputs']):.1e}"
    if entry.kind == "regression":
        return ""
    agreed = [f["equal"] if f["top1"] is None else f["top1"] for f in known["outputs"]]
    if entry.kind == "untrained" and known["outputs"][0]["elements"] > MOST_CLASSES:
        return ""
    return f"{min(agreed)} of {known['cases']}"



def accuracy(measured):
    for entry, known in measured:
        done, outputs = known["compilation"], known["outputs"]
        verdict = "yes" if not known["missed"] else "**no**"
        yield [label(entry, known), entry.kind, bits(done["activation_bits"]), bits(done["weight_bits"]),
               percent(max(f["mean"] for f in outputs)), percent(max(f["max"] for f in outputs)), agreement(entry, known),
               verdict]


def milliseconds(seconds):
    ms = 1000 * seconds
    return f"{ms:.1f}" if ms < 100 else grouped(round(ms))


def cost(measured):
    for entry, known in measured:
        done = known["compilation"]
        for b in known["bench"]:
            prove, least = b["prove_seconds"] / b["batch"], b["prove_seconds_least"] / b["batch"]
            batch = f", batch of {b['batch']} (prove: per input)" if b["batch"] > 1 else ""
            yield [f"{label(entry, known)}{batch}", f"{milliseconds(prove)} / {milliseconds(least)}",
                   f"{b['verify_seconds'] * 1000:.1f} / {b['verify_seconds_least'] * 1000:.1f}", str(b["runs"]), f"{known['load']:.0f}",
                   f"{b['proof_bytes'] / 1000:.0f}", f"{b['proven_bits']:.1f}", grouped(round(b["peak_rss_bytes"] / 1e6)),
                   f"{done['seconds']:.0f} / {done['processor_seconds']:.0f}"]


def machine(measured):
    bench = measured[0][1]["bench"][0]
    version = measured[0][1]["compilation"]["version"]
    return (f"Measured with Mica {version} on a virtual machine with {os.cpu_count()} cores ({bench['cpu']}), "
            f"{bench['threads']} threads, {bench['kernels']} kernels.\n"
            "*Load* is the load average of the machine when the timing ended; the prover itself makes up as much of it as\n"
            "it has threads. Where it is more, the machine did other work, and times are upper bounds, the least among\n"
            "them the nearest to what an idle machine needs. kB and MB are 1000 and 1000² bytes.\n")


def older(measured):
    if any(known["older"] for _, known in measured):
        yield (f"\n{OLDER} measured with an earlier build of this version; the compiler may choose otherwise now, and proofs may "
               "take other times and sizes: [performance.md](performance.md).")


def absent(measured):
    names = [f"`{entry.name}`" for entry in (OWN, *ZOO, *GENERATED) if entry not in [e for e, _ in measured]]
    if names:
        yield f"\nNot measured this time: {', '.join(names)}."


def misses(measured):
    short = [(entry, known) for entry, known in measured if known["missed"]]
    if short:
        yield "\nShort of what is asked:\n"
        for entry, known in short:
            yield from (f"- {missed}" for missed in known["missed"])


def document(measured):
    """The document; measured: [(entry, figures)]."""
    parts = [PREAMBLE, SIZES + "\n".join(table(
        ["model", "what", "weights", "origin", "licence", "operators", "parameters", "MACs"], sizes(measured))) + "\n",
             ACCURACY + "\n".join([*table(
                 ["model", "judged as", "activation bits", "weight bits", "mean error %", "largest error %",
                  "largest element, or objects", "as asked"], accuracy(measured)), *older(measured), *absent(measured),
                                  *misses(measured)]) + "\n",
             COST + machine(measured) + "\n" + "\n".join(table(
                 ["model", "prove ms", "verify ms", "proofs", "load", "proof kB", "proven bits", "memory MB", "compile s"],
                 cost(measured))) + "\n"]
    return "\n".join(parts)
