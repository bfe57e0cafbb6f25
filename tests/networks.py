"""Seeded networks whose widths, depths and names are of no known model; written as exporters write them."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers = [], []

    def op(self, kind, inputs, output=None, **attributes):
        output = output or f"v{len(self.nodes)}_{kind.lower()}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"n{len(self.nodes)}", **attributes))
        return output

    def constant(self, array, dtype=np.float32):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def normal(self, *shape, scale=None):
        scale = scale or 1.0 / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 1.0)
        return self.constant(self.random.normal(size=shape) * scale)

    def model(self, inputs, outputs, opset=17):
        graph = helper.make_graph(self.nodes, "generated", inputs, outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        return model


def cnn(path, widths=(24, 40, 72), classes=17, size=20, seed=5):
    """Residual CNN with batch norms, a depthwise stage, Clip and a Gemm head: image [n, 3, size, size] -> [n, classes]."""
    b = Builder(seed)

    def norm(x, channels):
        return b.op("BatchNormalization", [x, b.constant(b.random.uniform(0.5, 1.5, channels)), b.normal(channels, scale=0.1),
                                           b.normal(channels, scale=0.1),
                                           b.constant(b.random.uniform(0.5, 1.5, channels))], epsilon=1e-5)

    def conv(x, cin, cout, kernel, stride=1, group=1):
        pad = kernel // 2
        y = b.op("Conv", [x, b.normal(cout, cin // group, kernel, kernel)], kernel_shape=[kernel, kernel],
                 strides=[stride, stride], pads=[pad] * 4, group=group, dilations=[1, 1])
        return norm(y, cout)

    x = b.op("Relu", [conv("picture", 3, widths[0], 3)])
    channels = widths[0]
    for width in widths:
        stride = 1 if width == channels else 2
        y = b.op("Relu", [conv(x, channels, width, 3, stride)])
        y = conv(y, width, width, 3)
        shortcut = x if stride == 1 else conv(x, channels, width, 1, stride)
        x = b.op("Relu", [b.op("Add", [y, shortcut])])
        channels = width
    wide = channels * 2
    y = b.op("Clip", [conv(x, channels, wide, 1), b.constant(0.0), b.constant(6.0)])
    y = b.op("Clip", [conv(y, wide, wide, 3, group=wide), b.constant(0.0), b.constant(6.0)])
    x = b.op("Add", [conv(y, wide, channels, 1), x])
    x = b.op("Flatten", [b.op("GlobalAveragePool", [x])], axis=1)
    b.op("Gemm", [x, b.normal(classes, channels), b.normal(classes, scale=0.1)], "scores", transB=1)
    model = b.model([helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, size, size])],
                    [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])])
    onnx.save(model, path)
    return model


def bottleneck_cnn(path, width=64, blocks=(3, 4, 6, 3), size=224, classes=1000, seed=7):
    """CNN of bottleneck blocks with a stem and max pooling, batch norms folded: picture [n, 3, size, size] -> scores."""
    b = Builder(seed)

    def conv(x, cin, cout, kernel, stride=1):
        return b.op("Conv", [x, b.normal(cout, cin, kernel, kernel), b.normal(cout, scale=0.1)],
                    kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[kernel // 2] * 4)

    x = b.op("MaxPool", [b.op("Relu", [conv("picture", 3, width, 7, 2)])], kernel_shape=[3, 3], strides=[2, 2],
             pads=[1] * 4)
    channels = width
    for stage, count in enumerate(blocks):
        inner = width << stage
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            y = b.op("Relu", [conv(x, channels, inner, 1)])
            y = b.op("Relu", [conv(y, inner, inner, 3, stride)])
            y = conv(y, inner, 4 * inner, 1)
            shortcut = conv(x, channels, 4 * inner, 1, stride) if block == 0 else x
            x = b.op("Relu", [b.op("Add", [y, shortcut])])
            channels = 4 * inner
    x = b.op("Flatten", [b.op("GlobalAveragePool", [x])], axis=1)
    b.op("Gemm", [x, b.normal(classes, channels), b.normal(classes, scale=0.1)], "scores", transB=1)
    model = b.model([helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, size, size])],
                    [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])])
    onnx.save(model, path)
    return model


def transformer(path, hidden=80, heads=5, depth=3, inner=208, vocabulary=97, seed=6):
    """Encoder with layer norms and GELU spelled out, a mask, and masked-mean pooling: tokens, open [n, t] -> [n, hidden]."""
    b = Builder(seed)
    size = hidden // heads

    def linear(x, rows, columns):
        return b.op("Add", [b.op("MatMul", [x, b.normal(rows, columns, scale=rows**-0.5)]), b.normal(columns, scale=0.1)])

    def layer_norm(x):
        centered = b.op("Sub", [x, b.op("ReduceMean", [x], axes=[-1])])
        variance = b.op("ReduceMean", [b.op("Pow", [centered, b.constant(2.0)])], axes=[-1])
        scaled = b.op("Div", [centered, b.op("Sqrt", [b.op("Add", [variance, b.constant(1e-6)])])])
        return b.op("Add", [b.op("Mul", [scaled, b.constant(b.random.uniform(0.5, 1.5, hidden))]),
                            b.normal(hidden, scale=0.1)])

    def gelu(x):
        erf = b.op("Erf", [b.op("Mul", [x, b.constant(2**-0.5)])])
        return b.op("Mul", [b.op("Mul", [x, b.constant(0.5)]), b.op("Add", [erf, b.constant(1.0)])])

    def split_heads(x, permutation):
        shape = b.op("Shape", [x])
        parts = [b.op("Unsqueeze", [b.op("Gather", [shape, b.constant(i, np.int64)], axis=0), b.constant([0], np.int64)])
                 for i in (0, 1)]
        target = b.op("Concat", parts + [b.constant([heads, size], np.int64)], axis=0)
        return b.op("Transpose", [b.op("Reshape", [x, target])], perm=permutation)

    mask = b.op("Cast", ["open"], to=TensorProto.FLOAT)
    bias = b.op("Mul", [b.op("Sub", [b.constant(1.0), b.op("Unsqueeze", [mask, b.constant([1, 2], np.int64)])]),
                        b.constant(-1e9)])
    x = b.op("Gather", [b.normal(vocabulary, hidden, scale=1.0), "tokens"], axis=0)
    for _ in range(depth):
        y = layer_norm(x)
        query = b.op("Mul", [split_heads(linear(y, hidden, hidden), [0, 2, 1, 3]), b.constant(size**-0.5)])
        key = split_heads(linear(y, hidden, hidden), [0, 2, 3, 1])
        value = split_heads(linear(y, hidden, hidden), [0, 2, 1, 3])
        scores = b.op("Add", [b.op("MatMul", [query, key]), bias])
        context = b.op("MatMul", [b.op("Softmax", [scores], axis=-1), value])
        context = b.op("Reshape", [b.op("Transpose", [context], perm=[0, 2, 1, 3]), b.constant([0, 0, hidden], np.int64)])
        x = b.op("Add", [x, linear(context, hidden, hidden)])
        x = b.op("Add", [x, linear(gelu(linear(layer_norm(x), hidden, inner)), inner, hidden)])
    column = b.op("Unsqueeze", [mask, b.constant([2], np.int64)])
    total = b.op("ReduceSum", [b.op("Mul", [layer_norm(x), column]), b.constant([1], np.int64)], keepdims=0)
    count = b.op("Clip", [b.op("ReduceSum", [column, b.constant([1], np.int64)], keepdims=0), b.constant(1e-9)])
    b.op("Div", [total, count], "pooled")
    model = b.model([helper.make_tensor_value_info(n, TensorProto.INT64, ["n", "t"]) for n in ("tokens", "open")],
                    [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["n", hidden])])
    onnx.save(model, path)
    return model
