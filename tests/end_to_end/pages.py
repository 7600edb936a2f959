"""The compiler's HTML report, looked at in a real browser on a phone and on a desk, light and dark."""
import json
import struct
import zlib

from . import browser
from .harness import run, tail

WINDOWS = (("phone", 390, 844, False), ("phone-dark", 390, 844, True), ("desk", 1280, 900, False),
           ("desk-dark", 1280, 900, True))
SECTIONS = ("Inputs and outputs", "Accuracy against the float model", "Bit widths, and where precision is lost", "Network", "Layers",
            "Cost", "Soundness budget", "Record")
COLOUR = "getComputedStyle(document.body).backgroundColor"


def pixel_lines(png):
    """(width, height, number of different lines) of a PNG as it is encoded: a blank picture has very few."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    at, data = 8, b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        data += png[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    lines = zlib.decompress(data)
    step = len(lines) // height
    return width, height, len({lines[i * step:(i + 1) * step] for i in range(height)})


def complaints(events):
    """What the browser had to say against the page: exceptions, log entries, requests for anything but the page."""
    found = [e for e in events if e.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")]
    requests = [e["params"]["request"]["url"] for e in events if e.get("method") == "Network.requestWillBeSent"]
    return found, [url for url in requests if not url.startswith("file://")] + requests[1:]


def in_window(b, check, url, window, texts, folder):
    name, width, height, dark = window
    found, requests = complaints(b.open(url, width, height, dark))
    check(f"report, {name}: no errors", not found, json.dumps(found)[:500])
    check(f"report, {name}: no requests", not requests, str(requests))
    sizes = b.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]")
    check(f"report, {name}: as wide as the window", sizes == [width] * 3, str(sizes))
    shown = b.evaluate("document.body.innerText")
    missing = [t for t in (*SECTIONS, *texts) if t not in shown]
    check(f"report, {name}: its text is there", not missing, f"missing: {missing}")
    bright = sum(map(int, b.evaluate(COLOUR).strip("rgb()").split(",")[:3])) > 3 * 128
    check(f"report, {name}: colours follow the preference", bright != dark, b.evaluate(COLOUR))
    small, whole = b.screenshot(), b.screenshot(whole=True)
    (folder / f"report-{name}.png").write_bytes(whole)
    got_width, got_height, lines = pixel_lines(small)
    check(f"report, {name}: screenshot", (got_width, got_height) == (width, height) and lines > height // 8,
          f"{got_width}x{got_height}, {lines} different lines of pixels")


def drawing(b, check):
    """The graph: as many dots as rows, every row beside its dot, no row cut into the next."""
    rows, dots, paths = b.evaluate("[document.querySelectorAll('.graph li').length,"
                                   " document.querySelectorAll('.graph circle').length,"
                                   " document.querySelectorAll('.graph path').length]")
    check("report: a dot for every row of the network", rows == dots and rows > 2 and paths >= rows - 2,
          f"{rows} rows, {dots} dots, {paths} lines")
    off = b.evaluate("Math.max(...[...document.querySelectorAll('.graph li')].map((row, i) => {"
                     " const a = row.getBoundingClientRect(),"
                     " d = document.querySelectorAll('.graph circle')[i].getBoundingClientRect();"
                     " return Math.abs((a.top + a.bottom) / 2 - (d.top + d.bottom) / 2); }))")
    check("report: rows stand beside their dots", off < 1, f"{off} pixels apart")


def looked_at(m, path):
    """The report of a compiled model in every window."""
    texts = [m.name, "bits", "Proven security"]
    with browser.Browser(path) as b:
        for window in WINDOWS:
            in_window(b, m.check, m.report.as_uri(), window, texts, m.work)
        drawing(b, m.check)


def hostile_names(m, path):
    """Names of the model file and of the user that are markup are shown as text."""
    folder = m.work / "hostile"
    folder.mkdir()
    model, name = folder / "model.onnx", "<script>alert(1)</script><img src=x onerror=alert(2)>'\"&amp;"
    model.write_bytes(m.onnx.read_bytes().replace(b"image", b"<a&\">").replace(b"conv1", b"<hr/>"))
    code, out, err = run([m.mica, "compile", model, "--no-cache", "--emit-only", "-o", folder / "x", "--model-id", name])
    if not m.check("hostile names: compile", code == 0, tail(out + err)):
        return
    page = folder / "x.report.html"
    with browser.Browser(path) as b:
        found, requests = complaints(b.open(page.as_uri(), 390, 844))
        m.check("hostile names: no errors, no requests", not found and not requests, f"{found} {requests}")
        m.check("hostile names: the model id is text", b.evaluate("document.querySelector('h1').textContent") == name)
        m.check("hostile names: no foreign elements",
                b.evaluate("document.querySelectorAll('script, img, hr, [onerror]').length") == 0)
        shown = b.evaluate("document.body.innerText")
        m.check("hostile names: nodes and inputs are text", "<hr/>" in shown and '<a&">' in shown)
        m.check("hostile names: as wide as the window", b.evaluate("document.documentElement.scrollWidth") == 390)


def reports(small, large, results):
    """The reports of a small and of a large model; skipped, loudly, without a browser."""
    path = browser.find()
    if not path:
        results.skip("reports", f"no browser: none of {', '.join(browser.NAMES)} is installed")
        return
    for m in (small, large):
        if m:
            results.guarded(m.name, looked_at, m, path)
    if small:
        results.guarded(small.name, hostile_names, small, path)
