"""ResNet-50 and BERT with seeded random weights: as ONNX files for Tamis, as state dicts for PyTorch.

Both sides get the same numbers. The weights are scaled so that activations keep a magnitude near one, which suits
half precision. `python benchmarks/gpu_models.py FOLDER` writes resnet50.onnx and bert_base.onnx.
"""
import dataclasses
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STAGES = [(64, 256, 3, 1), (128, 512, 4, 2), (256, 1024, 6, 2), (512, 2048, 3, 2)]  # width, outputs, blocks, stride


class Weights:
    """Seeded arrays by PyTorch's parameter names."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.arrays = {}

    def normal(self, name, shape, scale):
        self.arrays[name] = (self.random.standard_normal(shape, dtype=np.float32) * np.float32(scale)).astype(np.float32)

    def uniform(self, name, shape, low, high):
        self.arrays[name] = self.random.uniform(low, high, shape).astype(np.float32)


class GraphWriter:
    def __init__(self, arrays):
        self.arrays, self.nodes, self.initializers, self.count = arrays, [], {}, 0

    def weight(self, name):
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(self.arrays[name], name)
        return name

    def constant(self, name, array):
        self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def node(self, op, inputs, output=None, **attributes):
        self.count += 1
        output = output or f"{op.lower()}_{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"n{self.count}", **attributes))
        return output

    def save(self, path, inputs, outputs, opset=21):
        graph = helper.make_graph(self.nodes, path.stem, inputs, outputs, list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="gpu_models")
        model.ir_version = 8
        onnx.save(model, str(path))


def two_four(arrays):
    """The same weights with the two smallest of every four inputs of an output set to 0, where inputs come in fours."""
    pruned = {}
    for name, array in arrays.items():
        product = name.endswith(".weight") and array.ndim in (2, 4) and "embeddings" not in name
        if not product or array.shape[1] % 4 != 0:
            pruned[name] = array
            continue
        groups = np.moveaxis(array, 1, -1)
        shape = groups.shape
        groups = groups.reshape(-1, 4).copy()
        np.put_along_axis(groups, np.argsort(np.abs(groups), axis=1)[:, :2], 0, axis=1)
        pruned[name] = np.ascontiguousarray(np.moveaxis(groups.reshape(shape), -1, 1))
    return pruned


def resnet50_convolutions():
    """(name of convolution, name of batch norm, outputs, inputs, kernel, stride) in order."""
    yield "conv1", "bn1", 64, 3, 7, 2
    inputs = 64
    for stage, (width, outputs, blocks, stride) in enumerate(STAGES, 1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            first = stride if block == 0 else 1
            yield f"{at}.conv1", f"{at}.bn1", width, inputs, 1, 1
            yield f"{at}.conv2", f"{at}.bn2", width, width, 3, first
            yield f"{at}.conv3", f"{at}.bn3", outputs, width, 1, 1
            if block == 0:
                yield f"{at}.downsample.0", f"{at}.downsample.1", outputs, inputs, 1, first
            inputs = outputs


def resnet50_weights(seed=11):
    weights = Weights(seed)
    for conv, norm, outputs, inputs, kernel, _ in resnet50_convolutions():
        weights.normal(f"{conv}.weight", (outputs, inputs, kernel, kernel), (2 / (inputs * kernel * kernel)) ** 0.5)
        last = conv.endswith("conv3")
        weights.uniform(f"{norm}.weight", (outputs,), 0.2 if last else 0.8, 0.4 if last else 1.2)
        weights.uniform(f"{norm}.bias", (outputs,), -0.1, 0.1)
        weights.uniform(f"{norm}.running_mean", (outputs,), -0.1, 0.1)
        weights.uniform(f"{norm}.running_var", (outputs,), 0.8, 1.2)
    weights.normal("fc.weight", (1000, 2048), 2048**-0.5)
    weights.uniform("fc.bias", (1000,), -0.1, 0.1)
    return weights.arrays


def write_resnet50(path, arrays):
    g = GraphWriter(arrays)
    norms = {conv: (norm, kernel, stride) for conv, norm, _, _, kernel, stride in resnet50_convolutions()}

    def conv(x, name):
        norm, kernel, stride = norms[name]
        y = g.node("Conv", [x, g.weight(f"{name}.weight")], kernel_shape=[kernel] * 2, strides=[stride] * 2,
                   pads=[kernel // 2] * 4)
        parts = [g.weight(f"{norm}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
        return g.node("BatchNormalization", [y, *parts], epsilon=1e-5)

    x = g.node("Relu", [conv("image", "conv1")])
    x = g.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage, (_, _, blocks, _) in enumerate(STAGES, 1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            y = g.node("Relu", [conv(x, f"{at}.conv1")])
            y = g.node("Relu", [conv(y, f"{at}.conv2")])
            y = conv(y, f"{at}.conv3")
            x = conv(x, f"{at}.downsample.0") if block == 0 else x
            x = g.node("Relu", [g.node("Add", [y, x])])
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x])], axis=1)
    g.node("Gemm", [x, g.weight("fc.weight"), g.weight("fc.bias")], "scores", transB=1)
    g.save(path, [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 224, 224])],
           [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 1000])])


WORDS, POSITIONS = 30522, 512


@dataclasses.dataclass
class Bert:
    hidden: int
    heads: int
    layers: int
    inner: int


BASE, LARGE = Bert(768, 12, 12, 3072), Bert(1024, 16, 24, 4096)


def bert_weights(seed=12, size=BASE):
    weights = Weights(seed)

    def linear(name, outputs, inputs, gain=1.0):
        weights.normal(f"{name}.weight", (outputs, inputs), gain * inputs**-0.5)
        weights.uniform(f"{name}.bias", (outputs,), -0.1, 0.1)

    def norm(name):
        weights.uniform(f"{name}.weight", (size.hidden,), 0.8, 1.2)
        weights.uniform(f"{name}.bias", (size.hidden,), -0.1, 0.1)

    weights.normal("embeddings.word_embeddings.weight", (WORDS, size.hidden), 0.5)
    weights.normal("embeddings.position_embeddings.weight", (POSITIONS, size.hidden), 0.5)
    weights.normal("embeddings.token_type_embeddings.weight", (2, size.hidden), 0.5)
    norm("embeddings.LayerNorm")
    for layer in range(size.layers):
        at = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            linear(f"{at}.attention.self.{part}", size.hidden, size.hidden)
        linear(f"{at}.attention.output.dense", size.hidden, size.hidden)
        norm(f"{at}.attention.output.LayerNorm")
        linear(f"{at}.intermediate.dense", size.inner, size.hidden)
        linear(f"{at}.output.dense", size.hidden, size.inner)
        norm(f"{at}.output.LayerNorm")
    linear("pooler.dense", size.hidden, size.hidden)
    return weights.arrays


def write_bert(path, arrays, size=BASE):
    g = GraphWriter(arrays)

    def linear(x, name):
        transposed = g.constant(f"{name}.weight.T", np.ascontiguousarray(arrays[f"{name}.weight"].T))
        return g.node("Add", [g.node("MatMul", [x, transposed]), g.weight(f"{name}.bias")])

    def norm(x, name):
        return g.node("LayerNormalization", [x, g.weight(f"{name}.weight"), g.weight(f"{name}.bias")], epsilon=1e-12)

    def scalar(name, value):
        return g.constant(name, np.array(value, np.float32))

    heads = g.constant("heads", np.array([0, 0, size.heads, size.hidden // size.heads], np.int64))
    merged = g.constant("merged", np.array([0, 0, size.hidden], np.int64))
    zero, one = g.constant("zero", np.array([0], np.int64)), g.constant("one", np.array([1], np.int64))

    mask = g.node("Cast", [g.node("Unsqueeze", ["attention_mask", g.constant("mask_axes", np.array([1, 2], np.int64))])],
                  to=TensorProto.FLOAT)
    mask = g.node("Mul", [g.node("Sub", [scalar("unit", 1.0), mask]), scalar("closed", -10000.0)])
    length = g.node("Slice", [g.node("Shape", ["input_ids"]), one, g.constant("two", np.array([2], np.int64))])
    positions = g.node("Slice", [g.constant("position_ids", np.arange(POSITIONS, dtype=np.int64)[None]), zero, length,
                                 one])
    words = g.node("Gather", [g.weight("embeddings.word_embeddings.weight"), "input_ids"])
    kinds = g.constant("kind", arrays["embeddings.token_type_embeddings.weight"][0])
    places = g.node("Gather", [g.weight("embeddings.position_embeddings.weight"), positions])
    x = norm(g.node("Add", [g.node("Add", [words, kinds]), places]), "embeddings.LayerNorm")
    for layer in range(size.layers):
        at = f"encoder.layer.{layer}"

        def head(part, perm):
            y = g.node("Reshape", [linear(x, f"{at}.attention.self.{part}"), heads])
            return g.node("Transpose", [y], perm=perm)

        scores = g.node("MatMul", [head("query", [0, 2, 1, 3]), head("key", [0, 2, 3, 1])])
        scores = g.node("Div", [scores, scalar("depth", (size.hidden // size.heads) ** 0.5)])
        weights = g.node("Softmax", [g.node("Add", [scores, mask])], axis=-1)
        context = g.node("Transpose", [g.node("MatMul", [weights, head("value", [0, 2, 1, 3])])], perm=[0, 2, 1, 3])
        context = linear(g.node("Reshape", [context, merged]), f"{at}.attention.output.dense")
        x = norm(g.node("Add", [context, x]), f"{at}.attention.output.LayerNorm")
        y = linear(x, f"{at}.intermediate.dense")
        erf = g.node("Erf", [g.node("Div", [y, scalar("root_two", 2.0**0.5)])])
        y = g.node("Mul", [g.node("Mul", [y, g.node("Add", [erf, scalar("unit", 1.0)])]), scalar("half", 0.5)])
        last = "last_hidden_state" if layer == size.layers - 1 else None
        x = g.node("Add", [linear(y, f"{at}.output.dense"), x])
        x = g.node("LayerNormalization", [x, g.weight(f"{at}.output.LayerNorm.weight"),
                                          g.weight(f"{at}.output.LayerNorm.bias")], last, epsilon=1e-12)
    first = g.node("Gather", [x, g.constant("first", np.array(0, np.int64))], axis=1)
    g.node("Tanh", [linear(first, "pooler.dense")], "pooler_output")
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
           for name in ("input_ids", "attention_mask")]
    outs = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "sequence", size.hidden]),
            helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["batch", size.hidden])]
    g.save(path, ids, outs)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write_resnet50(folder / "resnet50.onnx", resnet50_weights())
    write_bert(folder / "bert_base.onnx", bert_weights())


if __name__ == "__main__":
    main()
