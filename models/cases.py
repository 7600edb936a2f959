"""Folders of sample cases: seeded inputs, the files of a model's calibration and test cases, and their index.

    calibration/case_NN/input_0.npy
    test/case_NN/input_0.npy, output_0.npy
    SOURCE.txt
    reference.json

SOURCE.txt says in lines "key: value" what the model is. reference.json repeats the values of outputs of at most 64 elements, and the argmax of outputs of shape [1, C].
"""
import json

import numpy as np

SMALL_OUTPUT = 64


def enlarge(images, size):
    """[n,s,s] -> [n,size,size], bilinear, corners not aligned (pixel centres at (i + 0.5) / s)."""
    old = images.shape[1]
    at = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
    low = np.minimum(at.astype(int), old - 2)
    weight = np.zeros((size, old), np.float32)
    weight[np.arange(size), low] = 1 - (at - low)
    weight[np.arange(size), low + 1] = at - low
    return (weight @ images @ weight.T).astype(np.float32)


def clouds(rng, n, size):
    """[n,size,size]: octaves of noise whose amplitude halves as the frequency doubles, as in photographs."""
    total, cells, amplitude = np.zeros((n, size, size), np.float32), 2, 1.0
    while cells <= size // 2:
        total += amplitude * enlarge(rng.standard_normal((n, cells, cells)).astype(np.float32), size)
        cells, amplitude = 2 * cells, amplitude / 2
    return total


def images(rng, n, channels, size):
    """[n,channels,size,size]: clouds with a few ellipses in front, as 8-bit pixels, normalised by (p - 1/2) * 4."""
    picture = np.repeat(clouds(rng, n, size)[:, None], channels, 1)
    if channels > 1:
        for c in range(channels):
            picture[:, c] += 0.4 * clouds(rng, n, size)
    row, column = np.mgrid[:size, :size].astype(np.float32) / size
    for image in picture:
        for _ in range(rng.integers(2, 6)):
            centre, radius = rng.uniform(0, 1, 2), rng.uniform(0.05, 0.3, 2)
            inside = ((row - centre[0]) / radius[0]) ** 2 + ((column - centre[1]) / radius[1]) ** 2 < 1
            image[:, inside] = 0.3 * image[:, inside] + rng.normal(0, 1.2, (channels, 1))
    pixels = np.round(255 / (1 + np.exp(-picture)))
    return ((pixels / 255 - 0.5) * 4).astype(np.float32)


def utterances(rng, n, samples, rate=8000):
    """[n,1,samples]: syllables of gliding harmonics and bursts of noise, as 16-bit samples in [-1, 1)."""
    time = np.arange(samples) / rate
    sound = rng.normal(0, 0.004, (n, samples))
    for wave in sound:
        for start in np.sort(rng.uniform(0, 0.75, rng.integers(1, 4))) * samples / rate:
            length = rng.uniform(0.1, 0.3)
            envelope = np.exp(-(((time - start) / length - 0.5) * 3) ** 2)
            pitch, glide = rng.uniform(80, 260), rng.uniform(-80, 80)
            phase = 2 * np.pi * (pitch * time + glide * (time - start) ** 2)
            formants = rng.uniform([300, 900], [900, 2500])
            for harmonic in range(1, 25):
                loudness = np.exp(-((harmonic * pitch - formants) / 250.0) ** 2).sum() + 0.05
                wave += 0.3 * envelope * loudness * np.sin(harmonic * phase) / np.sqrt(harmonic)
            burst = np.exp(-(((time - start) / 0.04) ** 2))
            wave += rng.uniform(0, 0.15) * burst * rng.standard_normal(samples)
    return (np.round(np.clip(sound, -1, 1 - 2 ** -15) * 32768) / 32768).astype(np.float32)[:, None]


def output_entry(name, file, y):
    entry = {"name": name, "file": file, "shape": list(y.shape), "min": float(y.min()), "max": float(y.max())}
    if y.size <= SMALL_OUTPUT:
        entry["values"] = [float(v) for v in y.ravel()]
    if y.ndim == 2 and len(y) == 1:
        entry["argmax"] = int(y.argmax())
    return entry


def write_cases(out, part, names, inputs, evaluate=None, labels=None):
    """Writes one folder per element of inputs and returns their index; names are the graph's input and output.

    evaluate, where given, maps an input of batch size one to its reference output.
    """
    index = []
    for i, item in enumerate(inputs):
        case = out / part / f"case_{i:02d}"
        case.mkdir(parents=True, exist_ok=True)
        x = item[None].astype(np.float32)
        np.save(case / "input_0.npy", x)
        entry = {"case": case.name}
        if labels is not None:
            entry["label"] = int(labels[i])
        entry["inputs"] = [{"name": names[0], "file": f"{part}/{case.name}/input_0.npy"}]
        if evaluate is not None:
            y = evaluate(x).astype(np.float32)
            np.save(case / "output_0.npy", y)
            entry["outputs"] = [output_entry(names[1], f"{part}/{case.name}/output_0.npy", y)]
        index.append(entry)
    return index


def port(name, shape):
    """Description of a graph input or output whose first axis is a batch of any size."""
    return {"name": name, "dtype": "float32", "declared_shape": ["batch", *shape], "shape": [1, *shape]}


def write_reference(out, reference):
    (out / "reference.json").write_text(json.dumps(reference, indent=1) + "\n")


def write_source(out, about):
    lines = (("kind", about), ("licence", "that of Mica"), ("weights", "random, fixed seeds"))
    (out / "SOURCE.txt").write_text("".join(f"{key}: {value}\n" for key, value in lines))
