"""The loops of generated layers, and the products that they call, are vector code: read from the disassembly and, where cc is
GCC, loop by loop from its report."""
import os
import pathlib
import platform
import re
import shutil

from .harness import run, tail

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LEVELS = ("avx2", "avx512f")
FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
# {kind of loop: (what its source has, the instruction that does its work)}. On whole vectors of 256 bits or more; clones for
# AVX-512 may use either. Lookups are loads from tables, one by one.
KINDS = {
    "products": (r" \+= \w+\[[^]]*\] \* \w+\[", r"\tvp(mulld|maddwd|dpwssd)\s[^\n]*%[yz]mm"),
    "requantisation": (r" = mica_shift32\(sum, [1-9]", r"\tvpsrad\s[^\n]*%[yz]mm"),
    "maximum": (r"mica_max0\(", r"\tvpmaxsd\s[^\n]*%[yz]mm"),
    "sums of tensors": (r"sum \+= t\d+\[", r"\tvpaddd\s[^\n]*%[yz]mm"),
    "copies into panels": (r"mica_put_half\(", r"\tvpsllv?d\s[^\n]*%[yz]mm"),
    "copies": (r" = (from|t\d+)\[", r"\tvmov\w+\s+%[yz]mm\d+,[^\n]*\("),
}

LOOP = re.compile(r"( *)(MICA_INDEPENDENT )?for \(int32_t \w+ = \w+; \w+ < (\w+); \w+\+\+\) \{")
VECTORS = re.compile(r":(\d+):\d+: optimized:\s+loop vectorized using (\d+) byte vectors")
LIBRARY = re.compile(r":(\d+):\d+: optimized:\s+Loop \d+ distributed: split to 0 loops and \d+ library calls")
LEAST_BYTES = 32
# Iterations: shorter loops have shorter vectors, and those over every second cell half of them
SHORTEST_LOOP = 10


def functions(disassembly):
    """{symbol: its instructions}."""
    found, name = {}, None
    for line in disassembly.splitlines():
        heading = FUNCTION.match(line)
        if heading:
            name = heading.group(1)
            found[name] = []
        elif name:
            found[name].append(line)
    return {symbol: "\n".join(lines) for symbol, lines in found.items()}


def disassembled(m, path):
    code, out, err = run(["objdump", "-d", "--no-show-raw-insn", path])
    m.check(f"objdump {path.name}", code == 0, tail(err))
    return functions(out)


def layers(source):
    """{name of a layer's function: its text}."""
    parts = re.split(r"^MICA_LAYER static void (\w+)\(", source, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def compiled(m, source, *options):
    """The object file of a source by the C compiler and options of `mica compile`, or None."""
    binary = m.work / "vectorised.o"
    include = m.mica.parent.parent / "include"
    include = include if include.is_dir() else ROOT / "runtime" / "include"
    code, _, err = run(["cc", "-std=gnu17", "-O3", "-fvisibility=hidden", f"-I{source.parent}", f"-I{include}", *options, "-c",
                        source, "-o", binary])
    return binary if m.check(f"{source.name} compiles by itself", code == 0, tail(err)) else None


def long_loops(lines):
    """[(number of its line, whether it is marked as independent, its body)] of innermost loops."""
    found, bounds = [], {}
    for number, line in enumerate(lines, 1):
        bounds.update(re.findall(r"\b(last) = (\d+);", line))
        bounds.update(("part_end", whole) for whole in re.findall(r"\bpart_begin = mica_from\(frame, (\d+), ", line))
        loop = LOOP.match(line)
        if not loop:
            continue
        indent, marked, bound = loop.groups()
        end = next((i for i, text in enumerate(lines[number:], number) if text.startswith(indent + "}")), number)
        body = "\n".join(lines[number:end])
        bound = bounds.get(bound, bound)
        if "for (" not in body and not (bound.isdigit() and int(bound) < SHORTEST_LOOP):
            found.append((number, bool(marked), body))
    return found


def clones(m, source):
    """Each clone of a function with loops of a kind has the instruction of that kind. The kinds."""
    binary = compiled(m, source)
    if not binary:
        return set()
    code, seen = disassembled(m, binary), set()
    for name, text in layers(source.read_text()).items():
        bodies = [body for _, _, body in long_loops(text.splitlines())]
        for kind, (pattern, instruction) in KINDS.items():
            if not any(re.search(pattern, body) for body in bodies):
                continue
            seen.add(kind)
            for level in LEVELS:
                clone = next((body for symbol, body in code.items() if symbol.startswith(f"{name}.{level}")), "")
                m.check(f"{name}, {level}: {kind} in vectors", re.search(instruction, clone), "none of 256 bits or more")
    return seen


def reported(m, source, level):
    """{line: bytes of its longest vectors}; calls of memcpy and memset count as vectors."""
    report = m.work / "vectorised.txt"
    if not compiled(m, source, "-DMICA_LAYER_PORTABLE", f"-m{level}", f"-fopt-info-vec-loop-optimized={report}"):
        return {}
    longest = {}
    text = report.read_text()
    for line, size in VECTORS.findall(text) + [(line, LEAST_BYTES) for line in LIBRARY.findall(text)]:
        longest[int(line)] = max(longest.get(int(line), 0), int(size))
    return longest


def loop_by_loop(m, source):
    """GCC reports vectors of every loop that is marked. The number of them."""
    lines = source.read_text().splitlines()
    loops = [number for number, marked, _ in long_loops(lines) if marked]
    for level in LEVELS:
        longest = reported(m, source, level)
        for number in loops:
            m.check(f"{source.name}:{number}, {level}: vectors", longest.get(number, 0) >= LEAST_BYTES,
                    f"{longest.get(number, 0)} bytes: {lines[number - 1].strip()} {lines[number].strip()}")
    return len(loops)


def generated(m):
    """lenet5 has a loop of every kind."""
    source = m.work / f"{m.name}-src" / f"{m.name}.c"
    seen = clones(m, source)
    m.check("every kind of loop was seen", seen == set(KINDS), str(seen))
    _, version, _ = run(["cc", "--version"])
    if "Free Software Foundation" not in version:
        m.results.skip("vector code, loop by loop", "cc is not GCC")
        return
    loops = loop_by_loop(m, source)
    m.check("independent loops were seen", loops >= 10, str(loops))


def runtime_products(m):
    """mica_products of each instruction set."""
    code = disassembled(m, m.mica.parent.parent / "lib" / "libmica-prove.a")
    for symbol, instruction in (("products_avx2", r"\tvpmaddwd\s[^\n]*%ymm"), ("products_avx512", r"\tvpmaddwd\s[^\n]*%zmm"),
                                ("products_avx512vnni", r"\tvpdpwssd\s[^\n]*%zmm")):
        m.check(f"{symbol}: multiplies and adds pairs in vectors", re.search(instruction, code.get(symbol, "")),
                "no such instruction")


def vectorised(m):
    if platform.machine() not in ("x86_64", "AMD64") or not shutil.which("objdump") or not shutil.which("cc"):
        m.results.skip("vector code", "needs x86-64, objdump and cc")
        return
    generated(m)
    runtime_products(m)


GROUPS = (vectorised,)
