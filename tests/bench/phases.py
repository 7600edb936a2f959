"""Shares of the phases of a proof: what their work takes at least, by the machine's rates, of the time that they took."""

PHASES = ["forward", "witness", "commit", "lookups", "sumcheck", "opening", "grinding"]

# of work.c and ceilings.c: name in a table, unit, divisor
UNITS = {
    "m31": ("M31 products", "G/s", 1e9),
    "qm31": ("QM31 products", "G/s", 1e9),
    "butterflies": ("butterflies of the code", "G/s", 1e9),
    "multiply_adds": ("16-bit multiply-adds", "G/s", 1e9),
    "hash_bytes": ("hashing (Blake2s)", "GB/s", 1e9),
    "memory_bytes": ("reads of memory", "GB/s", 1e9),
    "grind_hashes": ("grinding", "M hashes/s", 1e6),
}


def floors(work, ceiling):
    """{phase: {unit: seconds at the ceiling}}."""
    return {phase: {unit: amount / ceiling[unit] for unit, amount in work[phase].items()} for phase in PHASES}


def shares(work, seconds, ceiling):
    """{phase: part of its time that its work would take at the ceilings, one kind after the other, or None where it took
    no time}."""
    least = floors(work, ceiling)
    return {phase: sum(least[phase].values()) / seconds[phase] if seconds[phase] > 0 else None for phase in PHASES}


def heaviest(work, ceiling):
    """{phase: (unit that takes most, its part of the phase's time at the ceilings)}."""
    result = {}
    for phase, least in floors(work, ceiling).items():
        total = sum(least.values())
        if total > 0:
            unit = max(least, key=least.get)
            result[phase] = (unit, least[unit] / total)
    return result
