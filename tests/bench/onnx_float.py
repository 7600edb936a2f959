#!/usr/bin/env python3
"""Times the float inference of ONNX Runtime on random inputs; needs the packages numpy and onnxruntime. Prints JSON.

    python onnx_float.py MODEL CASES --batch B --threads N --runs N

CASES has case_NN/input_K.npy; inputs are drawn uniformly between the least and the largest value of the first case.
"""
import argparse
import json
import pathlib
import statistics
import time

import numpy as np
import onnxruntime

WARM_UP = 2


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model", type=pathlib.Path)
    p.add_argument("cases", type=pathlib.Path)
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--runs", type=int, default=31)
    return p.parse_args()


def session_of(args):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(args.model), options, providers=["CPUExecutionProvider"])


def draw(rng, sample, batch):
    shape = (batch, *sample.shape[1:]) if batch > 1 else sample.shape
    if np.issubdtype(sample.dtype, np.floating):
        return rng.uniform(sample.min(), sample.max(), shape).astype(sample.dtype)
    return rng.integers(sample.min(), sample.max(), shape, endpoint=True).astype(sample.dtype)


def main():
    args, rng = arguments(), np.random.default_rng(1)
    case = sorted(args.cases.iterdir())[0]
    samples = [np.load(case / f"input_{k}.npy") for k in range(len(list(case.glob("input_*.npy"))))]
    session, times = session_of(args), []
    for run in range(WARM_UP + args.runs):
        feed = {port.name: draw(rng, x, args.batch) for port, x in zip(session.get_inputs(), samples)}
        start = time.perf_counter()
        session.run(None, feed)
        if run >= WARM_UP:
            times.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(times), "runs": args.runs, "threads": args.threads,
                      "batch": args.batch, "version": onnxruntime.__version__}))


if __name__ == "__main__":
    main()
