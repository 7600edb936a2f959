"""The multiplying loops of generated layers, and the products that they call, are vector code: read from the disassembly."""
import os
import platform
import re
import shutil

from .harness import run, tail

FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
# on whole vectors of 256 bits or more; clones for AVX-512 may use either
PRODUCT = re.compile(r"\tvp(mulld|maddwd|dpwssd)\s[^\n]*%[yz]mm")


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


def generated(m):
    """The clones of each layer that multiplies by itself, in rows or dots of results."""
    folder = m.work / f"{m.name}-src"
    source, binary = folder / f"{m.name}.c", m.work / "vectorised.o"
    include = m.mica.parent.parent / "include"
    include = include if include.is_dir() else os.path.join(os.path.dirname(__file__), "..", "..", "runtime", "include")
    code, _, err = run(["cc", "-std=gnu17", "-O3", "-fvisibility=hidden", f"-I{folder}", f"-I{include}", "-c", source, "-o",
                        binary])
    if not m.check("generated code compiles by itself", code == 0, tail(err)):
        return
    code = disassembled(m, binary)
    multiplied = {name for name, text in layers(source.read_text()).items() if re.search(r" \+= a\d+\[", text)}
    m.check("layers that multiply were seen", len(multiplied) >= 2, str(multiplied))
    for name in multiplied:
        for level in ("avx2", "avx512f"):
            clone = next((body for symbol, body in code.items() if symbol.startswith(f"{name}.{level}")), "")
            m.check(f"{name}, {level}: products in vectors", PRODUCT.search(clone), "none of 256 bits or more")


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
