"""Too little memory: success, or an error that says so; never a signal."""
from .kit import TEMPORARY, limits, snapshot

WORDS = ("memory", "workspace", "Cannot allocate")
MB = 1 << 20


def sweep(kit, what, command, sizes, folder, enough):
    """The command with ever more address space. From `enough` on it must succeed."""
    before = snapshot(folder)
    refused = 0
    for size in sizes:
        code, out, err = kit.run(command, preexec_fn=limits(address_bytes=size))
        name = f"{what} in {size / MB:.1f} MB"
        kit.check(f"{name}: ends by itself", 0 <= code <= 2 or not loaded(err, code), f"exit code {code}: {err[-300:]}")
        if code != 0 and loaded(err, code):
            refused += 1
            kit.check(f"{name}: message", any(w in err for w in WORDS), err[-300:] + out[-100:])
            kit.unchanged(name, folder, before)
        kit.check(f"{name}: enough", code == 0 or size < enough, err[-300:])
        kit.check(f"{name}: no temporary files", not [n for n in snapshot(folder) if TEMPORARY in n])
        if code == 0:
            before = snapshot(folder)
    return refused


def loaded(err, code):
    """False where the program could not even be started."""
    return not (code in (-9, -11, 127) and (not err or "shared" in err))


def steps(first, last, n):
    return [int(first * (last / first) ** (i / (n - 1))) for i in range(n)]


def all_programs(kit):
    folder = kit.folder("memory")
    out, proof = folder / "net", folder / "x.proof"
    fine = 4 if kit.thorough else 1
    vk = f"{kit.net}.vk"
    refused = sweep(kit, "prove", [f"{kit.net}-prover", "prove", kit.case, "-o", proof, "-q"], steps(3 * MB, 1024 * MB, 14 * fine),
                    folder, 512 * MB)
    kit.check("prove: the sweep met refusals", refused > 2, str(refused))
    sweep(kit, "infer", [f"{kit.net}-prover", "infer", kit.case, "--float", "--json"], steps(3 * MB, 256 * MB, 8 * fine), folder, 128 * MB)
    sweep(kit, "verify", [kit.mica, "verify", "--vk", vk, kit.proof, "--json"], steps(4 * MB, 128 * MB, 10 * fine), folder, 64 * MB)
    sweep(kit, "verify-params", [kit.mica, "verify-params", vk, f"{kit.net}.cert"], steps(4 * MB, 512 * MB, 10 * fine), folder, 256 * MB)
    sweep(kit, "compile", kit.compile_command(kit.models[0], out), steps(4 * MB, 2048 * MB, 16 * fine), folder, 1500 * MB)
    sweep(kit, "compile LeNet-5", kit.compile_command(kit.lenet5 / "lenet5.onnx", out, "--emit-only", "--calibration",
                                                      kit.lenet5 / "calibration" / "case_00"),
          steps(8 * MB, 2048 * MB, 4 * fine), folder, 1500 * MB)


def prediction(kit):
    """A proof that cannot have its workspace says how much it takes."""
    proof = kit.folder("prediction") / "x.proof"
    kit.refused("prove with too little memory says what it takes",
                [f"{kit.net}-prover", "prove", *[kit.case] * 16, "-o", proof, "-q"], ["a batch of 16", "MB of memory"],
                preexec_fn=limits(address_bytes=64 * MB))
    kit.check("no proof", not proof.exists())


GROUPS = (all_programs, prediction)
