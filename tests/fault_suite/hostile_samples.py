"""Calibration folders and input files that are huge, endless or nonsense."""
import os
import struct

from end_to_end.harness import write_npy

from .kit import SIZE, limits

MB = 1 << 20
PATIENCE = 20


def npy(path, shape, data=b"", descr="<f4", header=None):
    text = header if header is not None else f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    path.write_bytes(b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + data)


def refuse(kit, what, command, words=(), most=256 * MB):
    code, err, took, peak = kit.measured(command, preexec_fn=limits(address_bytes=4096 * MB, cpu_seconds=60))
    kit.check(f"{what}: refused", code in (1, 2) and err.strip() and all(w in err for w in words), f"exit code {code}: {err[-300:]}")
    kit.check(f"{what}: memory", peak < most, f"{peak / MB:.0f} MB")
    kit.check(f"{what}: time", took < PATIENCE, f"{took:.1f} s")


def calibrate(kit, folder):
    return kit.compile_command(kit.models[0], kit.work / "uncalibrated", "--emit-only", "--calibration", folder)


def sample(folder, name="input_0.npy"):
    folder.mkdir(exist_ok=True)
    write_npy(folder / name, (1, SIZE), [0.25] * SIZE)


def folders(kit):
    folder = kit.folder("samples")
    refuse(kit, "an empty folder of samples", calibrate(kit, folder), ["samples"])
    os.mkfifo(folder / "input_0.npy")
    refuse(kit, "a pipe among the samples", calibrate(kit, folder), ["input_0.npy"])
    folder = kit.folder("samples")
    sample(folder / "case_00")
    (folder / "case_01").mkdir()
    os.mkfifo(folder / "case_01" / "input_0.npy")
    refuse(kit, "a pipe in a case", calibrate(kit, folder), ["input_0.npy"])
    folder = kit.folder("samples")
    (folder / "case_00").symlink_to(folder)
    refuse(kit, "a link from the folder to itself", calibrate(kit, folder), ["case_00"])
    folder = kit.folder("samples")
    (folder / "case_00").symlink_to("case_00")
    refuse(kit, "a link without an end", calibrate(kit, folder), ["case_00"])
    folder = kit.folder("samples")
    (folder / "input_0.npy").symlink_to("/dev/zero")
    refuse(kit, "a device among the samples", calibrate(kit, folder), ["input_0.npy"])
    (folder / "input_0.npy").unlink()
    (folder / "input_0.npy").mkdir()
    refuse(kit, "a folder instead of a sample", calibrate(kit, folder), ["input_0.npy"])
    folder = kit.folder("samples")
    for i in range(20):
        sample(folder / f"case_{i:02}")
    (folder / "case_19" / "input_0.npy").write_bytes(b"")
    refuse(kit, "one empty sample of twenty", calibrate(kit, folder), ["case_19/input_0.npy"])


def crowd(kit):
    """A hundred thousand files that are no samples do no harm; as many cases are refused by number."""
    folder = kit.folder("crowd")
    sample(folder / "case_00")
    for i in range(100000):
        os.symlink("nowhere", folder / f"other_{i}")
    code, err, took, peak = kit.measured(calibrate(kit, folder), preexec_fn=limits(cpu_seconds=60))
    kit.check("100000 other files beside the samples", code == 0 and took < PATIENCE and peak < 512 * MB, f"{code} {took:.1f} s {err[-300:]}")
    for i in range(100000):
        os.rename(folder / f"other_{i}", folder / f"case_{i:06}")
    refuse(kit, "100000 cases", calibrate(kit, folder), ["65536"], 512 * MB)
    kit.folder("crowd")


def tensors(kit):
    """Files that claim more than they hold."""
    path = kit.folder("tensors") / "x.npy"
    infer = [f"{kit.net}-prover", "infer", path]
    for what, shape in (("2^60 elements", "(1073741824, 1073741824)"), ("2^32 elements", "(65536, 65536)"), ("a negative size", "(-1, 784)"),
                        ("a size of 30 digits", f"({10 ** 30},)"), ("9 axes", "(1,1,1,1,1,1,1,1,784)"), ("no shape", "")):
        npy(path, shape, bytes(784 * 4))
        refuse(kit, f".npy with {what}", infer, ["x.npy"])
    for what, header in (("a header of 1 MB", b"{" + b" " * MB + b"}\n"), ("an empty header", b""), ("a header without an end", b"{'descr': '"),
                         ("nested parentheses", b"{'shape': " + b"(" * 50000)):
        npy(path, "", header=header)
        refuse(kit, f".npy with {what}", infer, ["x.npy"])
    path.write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff")
    refuse(kit, ".npy whose header is 4 GB long", infer, ["x.npy"])
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00")
        f.truncate(3 << 30)
    refuse(kit, ".npy of 3 GB of zeros", infer, ["x.npy"])
    text = path.with_suffix(".json")
    infer[-1] = text
    for what, data in (("nested a million deep", b"[" * MB), ("nested within its key", b'{"input_data": ' + b"[" * MB), ("empty", b""),
                       ("a number of a million digits", b'{"input_data": [[' + b"9" * MB + b"]]}"),
                       ("a text without an end", b'{"input_data": "' + b"a" * MB)):
        text.write_bytes(data)
        refuse(kit, f".json: {what}", infer, ["x.json"])
    with open(text, "wb") as f:
        f.truncate(3 << 30)
    refuse(kit, ".json of 3 GB of zeros", infer, ["x.json"])
    pb = path.with_suffix(".pb")
    infer[-1] = pb
    for what, data in (("a length beyond the file", b"\x4a\xff\xff\xff\xff\x07"), ("10 million empty fields", b"\x08\x01" * 5 * MB),
                       ("nonsense", b"\xff" * 1000), ("unknown fields", b"\xa2\x06\x00" * MB)):
        pb.write_bytes(data)
        refuse(kit, f".pb: {what}", infer, ["x.pb"], 512 * MB)
    kit.folder("tensors")


GROUPS = (folders, crowd, tensors)
