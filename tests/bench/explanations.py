"""What holds each phase of a proof back, and what a verification consists of: fixed text of docs/performance.md with
the figures of a run."""
import phases

HEAD = """## What holds each phase back

In parentheses: of the model that {which}, the phase's part of the time, and the kind of work
that counts most in it, with its part of the work's time at the ceilings.
"""

TEXT = {
    "forward": """The network in integers, by generated code. Products of 16-bit integers are the work that the formula knows. Beside
them stand copies of the weights as 16-bit integers, for which every weight is read in 32 bits, and of the windows of
convolutions; requantisation and maxima, vector code but for the look-ups of activations that are no clamps; and a barrier
after each step where all threads compute one item together. The fewer multiply-accumulates a layer has for each output, the
more these count.""",
    "witness": """Counting how often each row of a table is looked up, and turning integers into field elements. A count is a load, an
addition and a store at an address that the data gives: equal keys one after the other wait for each other, and there are
no vector instructions for it. Bandwidth of memory is the only ceiling that the formula knows, and not the one that binds.""",
    "commit": """Encoding the rows of the witness and hashing the columns of the codeword. Long rows leave the inner caches, and go through
memory once for three layers of butterflies. Hashing reads one word of every row for each column, from as many places as
there are rows. A short witness has few rows to share between threads.""",
    "lookups": """The fraction tree over all lookups and its sumchecks: eleven products in QM31 for each leaf. Every layer is a sumcheck of
its own, whose rounds end in a hash and a challenge that nothing can run ahead of; small layers run on one thread, since
waking another costs more than the round. The tables of the large layers do not fit the caches and are read from
memory in every round.""",
    "sumcheck": """Contractions and placements, stratum by stratum: weights and activations are made small by the point of a claim, then
the rounds run over what is summed. The formula knows these passes and rounds. It leaves out the steps between them: eq
tables, tables that are permuted into the order of labels, windows of convolutions that are added up at computed places,
and that every one of many short rounds waits for its challenge.""",
    "opening": """All claims on weights and witness are made one, by passes over both matrices: for all claims that share low coordinates, for the
combination of rows, and for the queried columns of the weights, whose codeword is not kept. Then the levels, each a
smaller commitment with queries into the one before. Models with many weights pay for the passes, which read every
weight several times; small ones for the levels, whose encodings, Merkle paths and rounds are too short to fill two threads.""",
    "grinding": """Proofs of work, one before the challenges of the lookups and one for each step of queries, apart from the phases that
contain them. The number of tries has a geometric distribution: single proofs differ much, and the median differs from the mean that
the formula gives, so that a share may exceed 100 %. Threads meet after every 16,384 tries, so a short search tries
more than it needs.""",
}


VERIFY = """## What a verification consists of

One thread, portable C, SSE2 where the machine is an x86-64. Shares of the time, by a profile of many verifications of one
proof on a machine with 256-bit vectors; they change with the code, not with the run above.

|  | `squeezenet_fp16` | `resnet50` |
|---|---|---|
| public values: reading, ranges, hashing into the transcript, evaluation at a point | 34 % | 33 % |
| queried columns: hashing them and their paths, folding them | 15 % | 20 % |
| the clear message of the opening: one inner product for each query, claims together | 12 % | 12 % |
| the rest of the opening: rounds, points and the linear form | 9 % | 10 % |
| relations: tables, placements, linear forms, contractions | 10 % | 5 % |
| rounds of lookups and sumchecks: hashes and challenges | 7 % | 7 % |
| plan and opening parameters, from the verifier parameters and the batch size | 6 % | 6 % |
| claims, memory and the rest | 7 % | 7 % |

An image of 224 by 224 pixels is 602 kB of public integers, which are one message of Blake2s: a chain of 9,408
compressions that cannot run side by side. A committed or private input leaves this part out. For small models the
opening is the most: 60 % of `lenet5`.
"""


def largest(results):
    """The model and row of the longest proof of one input."""
    rows = [(m, row) for m in results["models"] for row in m["bench"] if row["batch"] == 1]
    return max(rows, key=lambda pair: pair[1]["prove_seconds"])


def explanations(results):
    """Each phase: its part of the time and the work that counts most, in the largest model, then the text."""
    m, row = largest(results)
    ceiling = results["ceilings"].get(str(row["threads"]))
    heaviest = phases.heaviest(row["work"]["phases"], ceiling) if ceiling else {}
    parts = [HEAD.format(which=f"takes longest to prove, `{m['name']}`")]
    for phase in phases.PHASES:
        part = 100 * row["phases"][phase] / row["prove_seconds"]
        figures = f"{part:.0f} % of `{m['name']}`"
        if phase in heaviest:
            unit, weight = heaviest[phase]
            figures += f"; {phases.UNITS[unit][0]}: {100 * weight:.0f} %"
        parts.append(f"**{phase}** ({figures}). {TEXT[phase]}\n")
    parts.append(VERIFY)
    return "\n".join(parts)
