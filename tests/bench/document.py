"""docs/performance.md, from figures as bench.py has them in JSON."""
import explanations
import phases
import subjects

INTRO = """# Performance

Written by `tests/bench/run.sh`, which measures everything anew in a quarter of an hour; `tests/bench/bench.py` measures
single models. [models.md](models.md) has more models and the errors of all.

*Prove* is the time from the inputs to the proof in a process that has read its weights and made a proof before, *cold*
that of `NAME-prover prove` from the start of the process to its end, all files read, medians of {cold} starts. Times are
medians of the given number of proofs, each of other random inputs, and every one of the proofs was verified; {fewer}
Security is the default of 100 proven bits. Sizes are those of proofs without inputs and outputs; *memory* is the peak
of the process that makes and verifies the proofs. kB, MB and GB are powers of 1000 bytes.

Measured with Mica {version}, commit {commit}, on a virtual machine: {cpu}, {cores} cores, {kernels} kernels, {memory:.0f} GB of
memory, {threads} threads. The load average at the end was {load:.1f}; {loaded}.
"""

FEWER = "at least 30, but fewer where 30 take more than a minute."
QUIET = "the prover itself makes up as much of it as it has threads"
LOADED = ("that is more than the threads of the prover: the machine did other work, times are upper bounds and shares "
          "lower ones")

TARGETS = """## Measured beside asked

Default security, two threads; prove: of one input. A figure in bold misses its target.

"""

MODELS = """## What a proof costs

*Inference* is the model's integer inference by the same executable, *float* that of ONNX Runtime{runtime} on the
unquantised model, on as many threads, medians of at least 30 random inputs; the columns behind say what multiple of it
proving takes.

"""

CEILINGS = """## What the machine gives

The runtime's own kernels on operands that stay in the inner caches, hashing, grinding, and reads of memory beyond the
caches; all in the run that measured the proofs (`tests/bench/ceilings.c`). One of the *products* is a product of two
field elements and its addition to a sum.

"""

SHARES = """## Where the time goes

Milliseconds of the median proof, and in parentheses the *share of the ceiling*: the time that the phase's work takes at
the rates above, one kind of work after the other, in percent of the time that it took. The work is counted from the
model's verifier parameters and the batch size (`tests/bench/work.c`, which states the formulas); it is what the algorithm
asks for, without the cost of waking threads, of moving data between steps, or of what follows no formula. The medians of the
phases need not add up to the median of the whole.

"""

SCALING = """## How it grows

"""
SCALED = {
    "batch": ("Batch", "LeNet-5, several inputs in one proof. Fixed costs are shared: the Merkle paths, the levels of the "
              "opening, the rounds of small sumchecks and what is read of the weights.", "inputs"),
    "width": ("Width", "MLPs of three hidden layers on 256 inputs. Weights grow with the square of the width, the rest "
              "in proportion to it.", "width"),
    "depth": ("Depth", "CNNs of 3x3 convolutions with 16 channels, on 16x16 pixels.", "layers"),
    "cores": ("Cores", "LeNet-5 by one thread and by all.", "threads"),
}


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def grouped(value):
    return f"{value:,.0f}"


def milliseconds(seconds):
    ms = 1000 * seconds
    return grouped(ms) if ms >= 100 else f"{ms:.1f}" if ms >= 1 else f"{ms:.2f}"


def label(m, row):
    return f"`{m['name']}`" + (f", batch of {row['batch']}" if row["batch"] > 1 else "")


def measured_rows(results):
    return [(m, row) for m in results["models"] for row in m["bench"]]


# --- targets ---

def beside(measured, asked, show=grouped):
    cell = f"{show(measured)} / {show(asked)}"
    return f"**{cell}**" if measured > asked else cell


def target_rows(results):
    rows = {(m["name"], row["batch"]): row for m, row in measured_rows(results)}
    for key, asked in subjects.TARGETS.items():
        row = rows.get(key)
        if not row:
            yield [asked.title, *["not measured"] * 4, ""]
            continue
        figures = [(1000 * row["prove_seconds"] / row["batch"], asked.prove_ms), (1000 * row["verify_seconds"],
                   asked.verify_ms), (row["proof_bytes"] / 1000, asked.proof_kb), (row["peak_rss_bytes"] / 1e6,
                   asked.memory_mb)]
        missed = sum(measured > limit for measured, limit in figures)
        shows = [lambda x: f"{x:.3g}" if x < 1000 else grouped(x)] * 2 + [grouped] * 2
        yield [asked.title, *(beside(*pair, show) for pair, show in zip(figures, shows)),
               "yes" if not missed else f"{4 - missed} of 4"]


def targets(results):
    head = ["model", "prove ms", "verify ms", "proof kB", "memory MB", "met"]
    text = TARGETS + "\n".join(table(head, target_rows(results))) + "\n"
    threads = {row["threads"] for _, row in measured_rows(results)}
    if threads != {subjects.TARGET_THREADS}:
        text += f"\nMeasured with {', '.join(map(str, sorted(threads)))} threads, not {subjects.TARGET_THREADS}.\n"
    return text


# --- costs ---

def multiple(row, seconds):
    factor = row["prove_seconds"] / seconds
    return f"{factor:.1f}" if factor < 100 else grouped(factor)


def cost_rows(results):
    for m, row in measured_rows(results):
        yield [label(m, row), milliseconds(row["prove_seconds"]),
               milliseconds(row["prove_seconds"] / row["batch"]),
               milliseconds(m["cold"]["seconds"]) if row["batch"] == 1 else "", str(row["runs"]),
               milliseconds(row["verify_seconds"]), f"{row['proof_bytes'] / 1000:.0f}",
               grouped(row["peak_rss_bytes"] / 1e6), f"{row['proven_bits']:.1f}", milliseconds(row["infer_seconds"]),
               multiple(row, row["infer_seconds"]), milliseconds(row["float"]["seconds"]) if row["float"] else "not measured",
               multiple(row, row["float"]["seconds"]) if row["float"] else ""]


def costs(results):
    versions = sorted({row["float"]["version"] for _, row in measured_rows(results) if row["float"]})
    head = ["model", "prove ms", "per input", "cold ms", "proofs", "verify ms", "proof kB", "memory MB", "proven bits",
            "inference ms", "multiple", "float ms", "multiple"]
    return MODELS.format(runtime=f" {', '.join(versions)}" if versions else "") + "\n".join(
        table(head, cost_rows(results))) + "\n"


# --- phases ---

def ceilings(results):
    counts = sorted(results["ceilings"], key=int)
    rows = [[title, *(f"{results['ceilings'][n][unit] / divisor:.3g}" for n in counts), per]
            for unit, (title, per, divisor) in phases.UNITS.items()]
    heads = [f"{n} thread{'s' if int(n) > 1 else ''}" for n in counts]
    return CEILINGS + "\n".join(table(["", *heads, "unit"], rows)) + "\n"


def phase_cell(row, phase):
    share = row.get("shares", {}).get(phase)
    return milliseconds(row["phases"][phase]) + (f" ({100 * share:.0f} %)" if share is not None else "")


def share_table(results):
    rows = [[label(m, row), *(phase_cell(row, p) for p in phases.PHASES)] for m, row in measured_rows(results)]
    return SHARES + "\n".join(table(["model", *phases.PHASES], rows)) + "\n"


# --- scaling ---

def scaling_rows(kind, rows):
    for row in rows:
        what = f"{row['size']}, batch of {row['batch']}" if kind == "cores" else grouped(row["size"])
        yield [what, milliseconds(row["prove_seconds"]), milliseconds(row["prove_seconds"] / row["batch"]),
               milliseconds(row["verify_seconds"]), f"{row['proof_bytes'] / 1000:.0f}",
               grouped(row["peak_rss_bytes"] / 1e6), grouped(row["work"]["leaves"]), grouped(row["work"]["weight_cells"]),
               *(milliseconds(row["phases"][p]) for p in phases.PHASES)]


def scaling(results):
    parts = []
    for kind, (title, about, what) in SCALED.items():
        rows = results["scaling"].get(kind)
        head = [what, "prove ms", "per input", "verify ms", "proof kB", "memory MB", "leaves", "weight cells", *phases.PHASES]
        body = "\n".join(table(head, scaling_rows(kind, rows))) if rows else "Not measured this time."
        parts.append(f"### {title}\n\n{about}\n\n{body}\n")
    return SCALING + "\n".join(parts)


def intro(results):
    place, rows = results["machine"], measured_rows(results)
    threads = rows[0][1]["threads"]
    few = sorted({row["runs"] for _, row in rows if row["runs"] < 30})
    return INTRO.format(cold=results["models"][0]["cold"]["runs"], fewer=FEWER if few else "at least 30 of each.",
                        version=results["version"], commit=results["commit"], cpu=place["cpu"], cores=place["cores"],
                        kernels=place["kernels"], memory=place["memory_bytes"] / 1e9, threads=threads,
                        load=results["load"], loaded=LOADED if results["load"] > threads + 1 else QUIET)


def document(results):
    """The document; results: what bench.py writes with --json, read back."""
    return "\n".join([intro(results), targets(results), costs(results), ceilings(results), share_table(results),
                      explanations.explanations(results), scaling(results)])
