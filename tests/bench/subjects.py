"""What the benchmark measures: models, where they are, and what is asked of their proofs."""
import json
import pathlib
import sys
from dataclasses import dataclass

SMALL = ["iris_mlp", "keras_dense", "mnist_mlp_batchnorm", "mnist8_cnn", "mnist8_cnn_optimised", "cifar_cnn"]
LARGE = ["vgg11", "vgg16", "resnet18", "squeezenet_fp16", "resnet50"]
LARGE_BATCH = 256  # of LeNet-5


@dataclass(frozen=True)
class Target:
    """At most: of one input (prove), of a proof (the rest). Default security, two threads."""
    title: str
    prove_ms: float
    verify_ms: float
    proof_kb: float
    memory_mb: float


# by model and batch
TARGETS = {
    ("lenet5", 1): Target("LeNet-5", 20, 4, 130, 150),
    ("vgg11", 1): Target("VGG-11", 150, 6, 350, 1000),
    ("vgg16", 1): Target("VGG-16", 200, 6, 350, 1000),
    ("resnet18", 1): Target("ResNet-18", 250, 6, 400, 1500),
    ("squeezenet_fp16", 1): Target("SqueezeNet", 800, 8, 450, 3000),
    ("resnet50", 1): Target("ResNet-50", 2500, 10, 600, 8000),
    ("lenet5", LARGE_BATCH): Target("LeNet-5, batch of 256", 2, 10, 250, 2000),
}
TARGET_THREADS = 2


@dataclass(frozen=True)
class Subject:
    """A model with its calibration cases and the batch sizes that are timed. size: the number a scaling varies."""
    name: str
    onnx: pathlib.Path
    calibration: pathlib.Path
    batches: tuple = (1,)
    size: int = 0


def of_folder(folder, name=None, **more):
    name = name or folder.name
    own = folder / f"{name}.onnx"
    return Subject(name, own if own.is_file() else folder / "model.onnx", folder / "calibration", **more)


def find(name, folders, batches=(1,)):
    """The subject in the first of the folders that has it, or None, said loudly."""
    for folder in folders:
        found = of_folder(folder / name, batches=batches)
        if found.onnx.is_file() and found.calibration.is_dir():
            return found
    print(f"SKIPPED: {name} is in none of {', '.join(map(str, folders))}", file=sys.stderr)
    return None


def scaling(folder):
    """{"width": [Subject], "depth": [Subject]} of the networks that scaling_models.py wrote; none: {}."""
    index = folder / "index.json"
    if not index.is_file():
        print(f"SKIPPED: scaling with width and depth; scaling_models.py wrote nothing in {folder}", file=sys.stderr)
        return {}
    return {kind: [of_folder(folder / name, size=size) for name, size in networks]
            for kind, networks in json.loads(index.read_text()).items()}
