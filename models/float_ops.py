"""Operators of ONNX in float32 numpy, as far as the project's own networks use them.

Every function takes the node's tensors in ONNX's order and its attributes by name. Convolutions go image by image, so
that the memory for unfolded windows does not grow with the batch.
"""
import numpy as np


def taps(x, kernel, strides):
    """For each kernel element its index and the cells of x [..., h, w] that it meets, one per window."""
    height, width = ((n - k) // s + 1 for n, k, s in zip(x.shape[-2:], kernel, strides))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            yield (i, j), x[..., i:i + strides[0] * (height - 1) + 1:strides[0],
                            j:j + strides[1] * (width - 1) + 1:strides[1]]


def padded(x, pads, value):
    if not any(pads):
        return x
    top, left, bottom, right = pads
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def matrix_conv(x, w, strides):
    """Unfolds the windows of each image into a matrix of one column per window."""
    kernel = w.shape[2:]
    rows = w.reshape(len(w), -1)
    out = []
    for image in x:
        views = [view for _, view in taps(image, kernel, strides)]
        height, width = views[0].shape[1:]
        windows = np.stack(views, 1).reshape(rows.shape[1], height * width)
        out.append((rows @ windows).reshape(len(w), height, width))
    return np.stack(out)


def depthwise_conv(x, w, strides):
    total = 0
    for (i, j), view in taps(x, w.shape[2:], strides):
        total = total + view * w[None, :, 0, i, j, None, None]
    return total


def conv(x, w, b=None, *, kernel_shape, strides, pads, group=1):
    if x.ndim == 3:
        y = conv(x[:, :, None], w[:, :, None], b, kernel_shape=[1, *kernel_shape], strides=[1, *strides],
                 pads=[0, pads[0], 0, pads[1]], group=group)
        return y[:, :, 0]
    assert group in (1, x.shape[1]) and list(w.shape[2:]) == kernel_shape
    x = padded(x, pads, 0)
    y = (matrix_conv if group == 1 else depthwise_conv)(x, w, strides)
    return y if b is None else y + b[:, None, None]


def conv_transpose(x, w, b, *, kernel_shape, strides):
    """Windows that do not overlap: the stride is the kernel, each cell becomes one block."""
    assert kernel_shape == strides == list(w.shape[2:])
    n, c, height, width = x.shape
    blocks = x.reshape(n, c, -1).transpose(0, 2, 1) @ w.reshape(c, -1)
    blocks = blocks.reshape(n, height, width, w.shape[1], *kernel_shape).transpose(0, 3, 1, 4, 2, 5)
    return blocks.reshape(n, w.shape[1], height * strides[0], width * strides[1]) + b[:, None, None]


def batch_normalization(x, gamma, beta, mean, variance, *, epsilon):
    scale = gamma / np.sqrt(variance + np.float32(epsilon))
    shape = (1, -1) + (1,) * (x.ndim - 2)
    return x * scale.reshape(shape) + (beta - mean * scale).reshape(shape)


def max_pool(x, *, kernel_shape, strides, pads):
    if x.ndim == 3:
        return max_pool(x[:, :, None], kernel_shape=[1, *kernel_shape], strides=[1, *strides],
                        pads=[0, pads[0], 0, pads[1]])[:, :, 0]
    best = None
    for _, view in taps(padded(x, pads, -np.inf), kernel_shape, strides):
        best = view.copy() if best is None else np.maximum(best, view, out=best)
    return best


def global_average_pool(x):
    return x.mean(tuple(range(2, x.ndim)), keepdims=True)


def gemm(x, w, b, *, transB):
    assert transB == 1
    return x @ w.T + b


OPERATORS = {
    "Add": np.add,
    "BatchNormalization": batch_normalization,
    "Clip": np.clip,
    "Concat": lambda *x, axis: np.concatenate(x, axis),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Flatten": lambda x, *, axis: x.reshape(len(x), -1),
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "MaxPool": max_pool,
    "Relu": lambda x: np.maximum(x, 0),
}
