"""A network under construction: an ONNX graph whose every node is run on a batch of inputs while it is added.

That is how the statistics of BatchNormalization come about without training: when such a node is added, the mean and
variance of its actual input are known.
"""
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from float_ops import OPERATORS

EPSILON = 1e-5


@dataclass
class Value:
    name: str
    data: np.ndarray


class Network:
    def __init__(self, name, rng, inputs, input_name, opset):
        self.name, self.rng, self.opset = name, rng, opset
        self.nodes, self.parameters = [], {}
        self.trained = 0  # elements of parameters that a training would adjust; running statistics are not
        self.macs = 0     # multiply-accumulates of one input in convolutions and matrix products
        self.input, self.output = Value(input_name, inputs), None

    # --- parameters ---

    def parameter(self, name, data, trained=True):
        assert name not in self.parameters
        self.parameters[name] = np.ascontiguousarray(data, np.float32)
        self.trained += data.size if trained else 0
        return Value(name, self.parameters[name])

    def he(self, shape, fan_in):
        return self.rng.standard_normal(shape) * np.sqrt(2 / fan_in)

    @staticmethod
    def smooth(kernel):
        """A blur that is added to depthwise kernels. There is no sum over channels in which a kernel's random
        differences would average out: alone they pass on little of a picture but its noise, which the normalisation
        then enlarges, layer after layer. Trained depthwise kernels are smooth for the most part."""
        bump = 1 - np.abs(np.linspace(-1, 1, kernel + 2)[1:-1])
        return np.outer(bump, bump)

    def small(self, n):
        return self.rng.normal(0, 0.1, n)

    # --- nodes ---

    def node(self, op, name, *inputs, **attributes):
        self.nodes.append((op, name, [v.name for v in inputs], name + ".out", attributes))
        y = OPERATORS[op](*(v.data for v in inputs), **attributes)
        assert y.dtype == np.float32, (name, y.dtype)
        return Value(name + ".out", y)

    def conv(self, x, name, channels, kernel, stride=1, pad=0, group=1, bias=True):
        dims = x.data.ndim - 2
        shape = (channels, x.data.shape[1] // group) + (kernel,) * dims
        weight = self.he(shape, np.prod(shape[1:]))
        if group > 1:
            weight = 0.5 * weight + self.smooth(kernel)
        inputs = [x, self.parameter(name + ".weight", weight)]
        if bias:
            inputs.append(self.parameter(name + ".bias", self.small(channels)))
        y = self.node("Conv", name, *inputs, kernel_shape=[kernel] * dims, strides=[stride] * dims,
                      pads=[pad] * 2 * dims, group=group)
        self.macs += int(np.prod(shape) * np.prod(y.data.shape[2:]))
        return y

    def upsample(self, x, name, channels):
        """Doubles height and width by ConvTranspose; each output cell meets one kernel element per channel."""
        shape = (x.data.shape[1], channels, 2, 2)
        weight = self.parameter(name + ".weight", self.he(shape, shape[0]))
        bias = self.parameter(name + ".bias", self.small(channels))
        self.macs += int(np.prod(shape) * np.prod(x.data.shape[2:]))
        return self.node("ConvTranspose", name, x, weight, bias, kernel_shape=[2, 2], strides=[2, 2])

    def norm(self, x, name, gamma=(0.8, 1.2), beta=0.5):
        """Offsets are positive, so that most values pass the activation behind. With offsets around zero, a random
        network of many layers enlarges rounding errors far more than trained ones do: each layer loses the mean of
        its input, a third of the power behind a ReLU, and scales up what is left, errors included."""
        n = x.data.shape[1]
        axes = (0,) + tuple(range(2, x.data.ndim))
        values = [self.parameter(name + ".weight", self.rng.uniform(*gamma, n)),
                  self.parameter(name + ".bias", beta + self.small(n)),
                  self.parameter(name + ".running_mean", x.data.mean(axes, np.float64), trained=False),
                  self.parameter(name + ".running_var", x.data.var(axes, np.float64), trained=False)]
        return self.node("BatchNormalization", name, x, *values, epsilon=EPSILON)

    def relu(self, x, name):
        return self.node("Relu", name, x)

    def relu6(self, x, name):
        low = self.parameter(name + ".min", np.zeros(()), trained=False)
        high = self.parameter(name + ".max", np.full((), 6.0), trained=False)
        return self.node("Clip", name, x, low, high)

    def max_pool(self, x, name, kernel, stride, pad=0):
        dims = x.data.ndim - 2
        return self.node("MaxPool", name, x, kernel_shape=[kernel] * dims, strides=[stride] * dims,
                         pads=[pad] * 2 * dims)

    def average(self, x, name):
        """Mean over all positions, as a row of features."""
        return self.flatten(self.node("GlobalAveragePool", name, x), name + ".flatten")

    def flatten(self, x, name):
        return self.node("Flatten", name, x, axis=1)

    def add(self, x, y, name):
        return self.node("Add", name, x, y)

    def concat(self, x, y, name):
        return self.node("Concat", name, x, y, axis=1)

    def gemm(self, x, name, weight, bias):
        self.macs += weight.size
        return self.node("Gemm", name, x, self.parameter(name + ".weight", weight),
                         self.parameter(name + ".bias", bias), transB=1)

    def dense(self, x, name, features):
        shape = (features, x.data.shape[1])
        return self.gemm(x, name, self.he(shape, shape[1]), self.small(features))

    def classify(self, x, name, classes):
        """The last layer. Features of untrained networks differ little between inputs in comparison with their mean;
        weights and bias are chosen such that logits have mean near 0 and deviation 2 over the inputs, so that
        different inputs are told apart as a trained network would."""
        weight = self.he((classes, x.data.shape[1]), x.data.shape[1])
        mean = x.data.mean(0, np.float64)
        weight *= 2 / ((x.data - mean) @ weight.T).std()
        return self.gemm(x, name, weight, self.small(classes) - weight @ mean)

    # --- the finished network ---

    def finish(self, output, name):
        """Declares the output; its node's result is renamed."""
        op, node, inputs, _, attributes = self.nodes[-1]
        assert output.name == node + ".out"
        self.nodes[-1] = (op, node, inputs, name, attributes)
        self.output = Value(name, output.data)
        return self

    def run(self, x):
        values = {**self.parameters, self.input.name: x}
        for op, _, inputs, output, attributes in self.nodes:
            values[output] = OPERATORS[op](*(values[name] for name in inputs), **attributes)
        return values[self.output.name]

    def onnx_model(self, opset=None):
        nodes = [helper.make_node(op, inputs, [output], name, **attributes)
                 for op, name, inputs, output, attributes in self.nodes]
        ends = [helper.make_tensor_value_info(v.name, TensorProto.FLOAT, ["batch", *v.data.shape[1:]])
                for v in (self.input, self.output)]
        graph = helper.make_graph(nodes, self.name, ends[:1], ends[1:],
                                  [numpy_helper.from_array(v, k) for k, v in self.parameters.items()])
        model = helper.make_model(graph, producer_name="make_models.py", ir_version=8,
                                  opset_imports=[helper.make_opsetid("", opset or self.opset)])
        onnx.checker.check_model(model, full_check=True)
        return model
