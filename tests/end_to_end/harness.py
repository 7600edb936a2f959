"""What every end-to-end test needs: counting checks, running commands, .npy files. Python's standard library only."""
import math
import re
import struct
import subprocess
import threading


class Results:
    """Counts checks; prints the failed and the skipped ones. Threads may share it."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lock = threading.Lock()

    def check(self, name, ok, detail=""):
        with self.lock:
            if ok:
                self.passed += 1
            else:
                self.failed += 1
                print(f"FAIL {name}: {detail}", flush=True)
        return ok

    def skip(self, name, why):
        with self.lock:
            self.skipped += 1
            print(f"SKIP {name}: {why}", flush=True)

    def guarded(self, name, function, *arguments):
        """Calls the function; an exception of the test itself is a failure, not the end of the tests."""
        try:
            function(*arguments)
        except Exception as error:  # pylint: disable=broad-except
            self.check(f"{name}: {function.__name__}", False, repr(error))

    def add(self, counts):
        """Adds the counts of others."""
        with self.lock:
            self.passed += counts["passed"]
            self.failed += counts["failed"]
            self.skipped += counts["skipped"]

    def counts(self):
        return {"passed": self.passed, "failed": self.failed, "skipped": self.skipped}


def run(command, timeout=900, **kwargs):
    """(exit code, stdout, stderr); a command that ends by a signal has a negative code."""
    r = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                       check=False, **kwargs)
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")


def tail(text):
    return " | ".join(text.strip().splitlines()[-3:])


def read_npy(path):
    """(shape, flat list of numbers) of a little-endian .npy file of version 1."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", path
    length = struct.unpack("<H", data[8:10])[0]
    header = data[10:10 + length].decode()
    descr = re.search(r"'descr': '([^']*)'", header).group(1)
    assert "'fortran_order': False" in header, path
    shape = tuple(int(n) for n in re.findall(r"\d+", re.search(r"'shape': \(([^)]*)\)", header).group(1)))
    code = {"<f4": "f", "<f8": "d", "<f2": "e", "<i8": "q", "<i4": "i", "|u1": "B", "|i1": "b", "|b1": "?"}[descr]
    body = data[10 + length:]
    return shape, list(struct.unpack(f"<{math.prod(shape)}{code}", body))


def write_npy(path, shape, values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}\n".encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header +
                     struct.pack(f"<{len(values)}f", *values))
