"""The benchmark's networks with seeded random weights, written with onnx.helper: nothing is downloaded.

Weights are scaled so that activations keep a magnitude near one. Random weights say nothing about accuracy: what is
measured on them is speed. `prune` makes the 2:4 twin of a network, `quantize` its int8 one, each one file for all sides.
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gpu_models import BASE, Bert, GraphWriter, Weights, bert_weights, resnet50_weights, write_bert, write_resnet50


class ConvWriter(GraphWriter):
    """Draws weights as it goes."""

    def __init__(self, seed):
        self.weights = Weights(seed)
        super().__init__(self.weights.arrays)

    def conv(self, x, inputs, outputs, kernel=1, stride=1, groups=1, gain=2.0, norm=True):
        name = f"conv{self.count}"
        fan = inputs // groups * kernel * kernel
        self.weights.normal(f"{name}.weight", (outputs, inputs // groups, kernel, kernel), (gain / fan) ** 0.5)
        operands = [x, self.weight(f"{name}.weight")]
        if not norm:
            self.weights.uniform(f"{name}.bias", (outputs,), -0.1, 0.1)
            operands.append(self.weight(f"{name}.bias"))
        y = self.node("Conv", operands, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[(kernel - 1) // 2] * 4,
                      group=groups)
        if not norm:
            return y
        self.weights.uniform(f"{name}.norm.weight", (outputs,), 0.8, 1.2)
        self.weights.uniform(f"{name}.norm.bias", (outputs,), -0.1, 0.1)
        self.weights.uniform(f"{name}.norm.mean", (outputs,), -0.1, 0.1)
        self.weights.uniform(f"{name}.norm.var", (outputs,), 0.8, 1.2)
        parts = [self.weight(f"{name}.norm.{part}") for part in ("weight", "bias", "mean", "var")]
        return self.node("BatchNormalization", [y, *parts], epsilon=1e-5)

    def classify(self, x, inputs):
        x = self.node("Flatten", [self.node("GlobalAveragePool", [x])], axis=1)
        self.weights.normal("classifier.weight", (1000, inputs), inputs**-0.5)
        self.weights.uniform("classifier.bias", (1000,), -0.1, 0.1)
        self.node("Gemm", [x, self.weight("classifier.weight"), self.weight("classifier.bias")], "scores", transB=1)

    def save_images(self, path):
        self.save(path, [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 224, 224])],
                  [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 1000])])


def write_mobilenet_v2(path):
    g = ConvWriter(21)
    low, high = g.constant("zero", np.float32(0).reshape(())), g.constant("six", np.float32(6).reshape(()))

    def relu6(x):
        return g.node("Clip", [x, low, high])

    x, inputs = relu6(g.conv("image", 3, 32, 3, 2)), 32
    blocks = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expand, outputs, count, stride in blocks:
        for block in range(count):
            first = stride if block == 0 else 1
            hidden = inputs * expand
            y = relu6(g.conv(x, inputs, hidden)) if expand > 1 else x
            y = relu6(g.conv(y, hidden, hidden, 3, first, hidden))
            y = g.conv(y, hidden, outputs, gain=0.7)
            x = g.node("Add", [x, y]) if first == 1 and inputs == outputs else y
            inputs = outputs
    g.classify(relu6(g.conv(x, inputs, 1280)), 1280)
    g.save_images(path)


def write_efficientnet_b0(path):
    # Gains with which magnitudes neither vanish nor grow until the gates saturate: there rounding errors of bf16 would
    # be multiplied by a hundred, and no row could be checked.
    g = ConvWriter(22)

    def silu(x):
        return g.node("Mul", [x, g.node("Sigmoid", [x])])

    x, inputs = silu(g.conv("image", 3, 32, 3, 2)), 32
    blocks = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
              (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]
    for expand, outputs, count, stride, kernel in blocks:
        for block in range(count):
            first = stride if block == 0 else 1
            hidden = inputs * expand
            y = silu(g.conv(x, inputs, hidden)) if expand > 1 else x
            y = silu(g.conv(y, hidden, hidden, kernel, first, hidden, gain=3.0))
            squeezed = max(1, inputs // 4)
            gate = silu(g.conv(g.node("GlobalAveragePool", [y]), hidden, squeezed, gain=0.5, norm=False))
            gate = g.node("Sigmoid", [g.conv(gate, squeezed, hidden, gain=0.5, norm=False)])
            y = g.conv(g.node("Mul", [y, gate]), hidden, outputs, gain=3.0)
            x = g.node("Add", [x, y]) if first == 1 and inputs == outputs else y
            inputs = outputs
    g.classify(silu(g.conv(x, inputs, 1280)), 1280)
    g.save_images(path)


def write_vit_b16(path, width=768, heads=12, layers=12, inner=3072, patch=16, side=224):
    weights = Weights(23)
    g = GraphWriter(weights.arrays)
    tokens = (side // patch) ** 2 + 1

    def linear(x, name, outputs, inputs, gain=1.0):
        weights.normal(f"{name}.weight", (inputs, outputs), gain * inputs**-0.5)
        weights.uniform(f"{name}.bias", (outputs,), -0.1, 0.1)
        return g.node("Add", [g.node("MatMul", [x, g.weight(f"{name}.weight")]), g.weight(f"{name}.bias")])

    def norm(x, name):
        weights.uniform(f"{name}.weight", (width,), 0.8, 1.2)
        weights.uniform(f"{name}.bias", (width,), -0.1, 0.1)
        return g.node("LayerNormalization", [x, g.weight(f"{name}.weight"), g.weight(f"{name}.bias")], epsilon=1e-6)

    def scalar(name, value):
        return g.constant(name, np.array(value, np.float32))

    def ints(name, values):
        return g.constant(name, np.array(values, np.int64))

    weights.normal("patches.weight", (width, 3, patch, patch), (3 * patch * patch) ** -0.5)
    weights.uniform("patches.bias", (width,), -0.1, 0.1)
    weights.normal("class_token", (1, 1, width), 0.5)
    weights.normal("positions", (1, tokens, width), 0.2)
    x = g.node("Conv", ["image", g.weight("patches.weight"), g.weight("patches.bias")], kernel_shape=[patch] * 2,
               strides=[patch] * 2)
    x = g.node("Transpose", [g.node("Reshape", [x, ints("flat", [0, width, -1])])], perm=[0, 2, 1])
    batch = g.node("Slice", [g.node("Shape", ["image"]), ints("zero", [0]), ints("one", [1])])
    token = g.node("Expand", [g.weight("class_token"), g.node("Concat", [batch, ints("rest", [1, width])], axis=0)])
    x = g.node("Add", [g.node("Concat", [token, x], axis=1), g.weight("positions")])
    split, merged = ints("split", [0, 0, heads, width // heads]), ints("merged", [0, 0, width])
    for layer in range(layers):
        at = f"layer.{layer}"
        y = norm(x, f"{at}.norm1")

        def head(part, perm):
            projected = linear(y, f"{at}.{part}", width, width)
            return g.node("Transpose", [g.node("Reshape", [projected, split])], perm=perm)

        scores = g.node("MatMul", [head("query", [0, 2, 1, 3]), head("key", [0, 2, 3, 1])])
        scores = g.node("Softmax", [g.node("Mul", [scores, scalar("scale", (width // heads) ** -0.5)])], axis=-1)
        y = g.node("Transpose", [g.node("MatMul", [scores, head("value", [0, 2, 1, 3])])], perm=[0, 2, 1, 3])
        x = g.node("Add", [linear(g.node("Reshape", [y, merged]), f"{at}.projection", width, width, 0.5), x])
        y = linear(norm(x, f"{at}.norm2"), f"{at}.up", inner, width)
        erf = g.node("Erf", [g.node("Div", [y, scalar("root_two", 2.0**0.5)])])
        y = g.node("Mul", [g.node("Mul", [y, g.node("Add", [erf, scalar("unit", 1.0)])]), scalar("half", 0.5)])
        x = g.node("Add", [linear(y, f"{at}.down", width, inner, 0.5), x])
    first = g.node("Gather", [norm(x, "norm"), g.constant("first", np.array(0, np.int64))], axis=1)
    weights.normal("head.weight", (1000, width), width**-0.5)
    weights.uniform("head.bias", (1000,), -0.1, 0.1)
    g.node("Gemm", [first, g.weight("head.weight"), g.weight("head.bias")], "scores", transB=1)
    g.save(path, [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, side, side])],
           [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 1000])])


MINILM = Bert(hidden=384, heads=12, layers=6, inner=1536)

# name: (writes the file, input kind)
WRITERS = {
    "resnet50": (lambda path: write_resnet50(path, resnet50_weights()), "image"),
    "mobilenet_v2": (write_mobilenet_v2, "image"),
    "efficientnet_b0": (write_efficientnet_b0, "image"),
    "vit_b16": (write_vit_b16, "image"),
    "bert_base": (lambda path: write_bert(path, bert_weights(size=BASE), BASE), "text"),
    "minilm": (lambda path: write_bert(path, bert_weights(13, MINILM), MINILM), "text"),
}


def inputs_for(name, batch, length, seed=5):
    """Seeded inputs of a network by name."""
    random = np.random.default_rng(seed)
    if WRITERS[name][1] == "image":
        return {"image": random.standard_normal((batch, 3, 224, 224), dtype=np.float32)}
    return {"input_ids": random.integers(1000, 30000, (batch, length), dtype=np.int64),
            "attention_mask": np.ones((batch, length), np.int64)}


def _two_four(groups, paired):
    """Zeros the two smaller magnitudes of every four along the last axis; paired: of every two neighbouring outputs
    (the first axis) together."""
    saliency = np.abs(groups)
    if paired:
        even = len(groups) // 2 * 2
        saliency[:even] = np.repeat(saliency[0:even:2] + saliency[1:even:2], 2, axis=0)
    order = np.argsort(-saliency, axis=-1, kind="stable")
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, order[..., :2], True, axis=-1)
    return np.where(mask, groups, np.float32(0))


def _pruned(weight, axis, paired):
    moved = np.ascontiguousarray(np.moveaxis(weight, axis, -1))
    if moved.shape[-1] % 4 or moved.shape[-1] < 8:
        return None
    groups = moved.reshape(*moved.shape[:-1], -1, 4)
    return np.ascontiguousarray(np.moveaxis(_two_four(groups, paired).reshape(moved.shape), -1, axis))


def prune(source, target, paired=False):
    """2:4 by magnitude along the input channels, every layer that can be. Speed only: no accuracy is kept."""
    model = onnx.load(str(source))
    by_name = {tensor.name: tensor for tensor in model.graph.initializer}
    pruned = 0
    for node in model.graph.node:
        tensor = by_name.get(node.input[1]) if len(node.input) > 1 else None
        if tensor is None or node.op_type not in ("Conv", "MatMul", "Gemm"):
            continue
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if attributes.get("group", 1) != 1:
            continue
        axis = 1 if node.op_type == "Conv" or attributes.get("transB", 0) else 0
        result = _pruned(numpy_helper.to_array(tensor), axis, paired)
        if result is not None:
            tensor.CopyFrom(numpy_helper.from_array(result, tensor.name))
            pruned += 1
    onnx.save(model, str(target))
    return pruned


def quantize(source, target, name):
    """onnxruntime's static quantisation: QDQ, u8 activations, s8 weights a channel, min/max of two seeded batches.

    Of transformers only the products are quantised: OpenVINO refuses quantised sums of embeddings.
    """
    import onnxruntime.quantization as quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.batches = iter([inputs_for(name, 1, 128, seed) for seed in (7, 8)])

        def get_next(self):
            return next(self.batches, None)

    products, transformer = ["Conv", "MatMul", "Gemm"], name in ("bert_base", "minilm", "vit_b16")
    prepared = pathlib.Path(target).with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantization.quantize_static(
        str(prepared), str(target), Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
        op_types_to_quantize=products if transformer else [*products, "Add", "MaxPool", "GlobalAveragePool"],
        extra_options={"WeightSymmetric": True, "ActivationSymmetric": False})
    prepared.unlink()


def make(name, kind, folder):
    """Path of a network's file of a kind (f32 or int8, with _24 or _paired behind it where 2:4), written where it is not
    there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.{kind}.onnx"
    if path.exists():
        return path
    unfinished = path.with_suffix(".part")
    if kind == "f32":
        WRITERS[name][0](unfinished)
    elif kind.startswith("f32_"):
        prune(make(name, "f32", folder), unfinished, kind == "f32_paired")
    else:
        quantize(make(name, kind.replace("int8", "f32"), folder), unfinished, name)
    unfinished.rename(path)
    return path
