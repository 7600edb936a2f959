"""The models that are tested: where they are, how each is judged, how much is done with it."""
from dataclasses import dataclass

from . import certificates, judging, tampering
from .model import MAX_BATCH, Model


@dataclass(frozen=True)
class Entry:
    """kind: of judging.JUDGES. large: takes long to compile; one input is proven, few changed proofs are tried.
    place: where its folder is, a key of the folders that load() is given."""
    name: str
    kind: str
    place: str = "zoo"
    large: bool = False
    thorough: bool = False


OWN = Entry("lenet5", "classifier", place="repository", thorough=True)
ZOO = [
    Entry("sine_mlp", "regression"),
    Entry("iris_mlp", "classifier"),
    Entry("winml_iris_regression", "classifier"),
    Entry("keras_dense", "regression"),
    Entry("mnist_mlp_batchnorm", "classifier"),
    Entry("mnist8_cnn", "classifier"),
    Entry("mnist8_cnn_optimised", "classifier"),
    Entry("cifar_cnn", "classifier"),
    Entry("linear_classifier", "classifier"),
    Entry("policy_go1", "regression"),
    Entry("policy_leap_hand", "regression"),
    Entry("autoencoder1d", "regression"),
    Entry("magika_v3_3", "classifier", large=True),
    Entry("face_rfb320", "detector", large=True),
    Entry("fastestdet", "detector", large=True),
    Entry("squeezenet_fp16", "classifier", large=True),
    Entry("graph_light_squeezenet", "constant", large=True),
    Entry("graph_light_resnet50", "constant", large=True),
]
# written by models/make_models.py
GENERATED = [
    Entry("keyword", "untrained", "generated"),
    Entry("unet", "untrained", "generated"),
    Entry("vgg11", "untrained", "generated", large=True),
    Entry("vgg16", "untrained", "generated", large=True),
    Entry("resnet18", "untrained", "generated", large=True),
    Entry("mobilenetv2", "untrained", "generated", large=True),
    Entry("resnet50", "untrained", "generated", large=True),
]
HINTS = {"repository": "the checkout is not whole", "zoo": "set MICA_ZOO", "generated": "make_models.py did not write it"}


def entries(names):
    """The entries of these names, in this order; lenet5 and the zoo without names."""
    known = {e.name: e for e in [OWN, *ZOO, *GENERATED]}
    return [known[name] for name in names] if names else [OWN, *ZOO]


def load(entry, folders, work, mica, results):
    """The entry's model, or None, said loudly, where its folder is absent. folders: of each place."""
    data = folders[entry.place] / entry.name
    if not (data / "test").is_dir():
        results.skip(entry.name, f"{data} is absent; {HINTS[entry.place]}")
        return None
    onnx = data / (f"{entry.name}.onnx" if entry is OWN else "model.onnx")
    return Model(entry.name, onnx, data, work, mica, results, max_batch=1 if entry.large else MAX_BATCH)


def exercise(m, entry):
    """Compile, judge, prove, verify, and try what must be rejected."""
    if not m.compile() or not m.infer():
        return
    judging.judge(m, entry.kind)
    certificates.of_model(m)
    if not m.prove_one():
        return
    tampering.other_statements(m)
    if entry.large:
        tampering.changed_bytes(m, 2)
        return
    m.prove_batch()
    tampering.changed_bytes(m, 60 if entry.thorough else 8)
    tampering.in_memory(m, 400 if entry.thorough else 60)
    tampering.changed_lengths(m)
    tampering.unreadable(m)
