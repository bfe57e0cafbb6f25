"""Single operators against ONNX Runtime: one-node networks, both sides in turns in one run, results compared.

`PYTHONPATH=build/python python benchmarks/operators.py [--only lstm,resize] [--seconds 60]` prints a table of times and
ratios (Tamis / ONNX Runtime, so below 1 is faster), slowest ratio first. Both sides get --threads threads. A block of
one side's runs begins with some that are not counted, so that what the other side's threads still do (they spin a
while) is over; the ratio is the median over rounds.
"""
import argparse
import statistics
import time

import numpy as np
import onnx
import onnxruntime
import tamis
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(7)


def normal(*shape, scale=1.0):
    return (RANDOM.standard_normal(shape) * scale).astype(np.float32)


def integers(low, high, *shape, dtype=np.int64):
    return RANDOM.integers(low, high, shape, dtype=dtype)


class Case:
    """A node, its fed inputs, and constants; None is an omitted input."""

    def __init__(self, name, op, feeds, constants=(), outputs=1, opset=21, **attributes):
        self.name, self.op, self.feeds, self.constants = name, op, list(feeds), list(constants)
        self.outputs, self.opset, self.attributes = outputs, opset, attributes

    def model(self):
        names = [f"x{i}" for i in range(len(self.feeds))]
        operands, initializers = list(names), []
        for i, constant in enumerate(self.constants):
            operands.append("" if constant is None else f"c{i}")
            if constant is not None:
                initializers.append(numpy_helper.from_array(np.asarray(constant), f"c{i}"))
        outputs = [f"y{i}" for i in range(self.outputs)]
        node = helper.make_node(self.op, operands, outputs, **self.attributes)
        graph = helper.make_graph(
            [node], "one",
            [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
             for n, x in zip(names, self.feeds)],
            [helper.make_empty_tensor_value_info(o) for o in outputs], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def recurrent(op, gates, steps, batch, inputs, hidden, directions=1):
    w = normal(directions, gates * hidden, inputs, scale=inputs**-0.5)
    r = normal(directions, gates * hidden, hidden, scale=hidden**-0.5)
    b = normal(directions, 2 * gates * hidden, scale=0.1)
    extra = {"direction": "bidirectional"} if directions == 2 else {}
    if op == "GRU":
        extra["linear_before_reset"] = 1
    return Case(f"{op} s{steps} b{batch} {inputs}->{hidden} x{directions}", op, [normal(steps, batch, inputs)], [w, r, b],
                hidden_size=hidden, **extra)


def resize(name, shape, scales, dtype=np.float32, **attributes):
    return Case(f"Resize {name} {list(shape)}", "Resize", [normal(*shape).astype(dtype)],
                [None, np.array(scales, np.float32)], **attributes)


def cases():
    for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        yield recurrent(op, gates, 64, 1, 128, 256)
        yield recurrent(op, gates, 32, 16, 256, 256, 2)
    yield recurrent("LSTM", 4, 100, 1, 64, 64, 2)
    for mode, extra in (("nearest", {}), ("linear", {}), ("linear", {"coordinate_transformation_mode": "align_corners"}),
                        ("cubic", {"cubic_coeff_a": -0.75})):
        suffix = " corners" if extra.get("coordinate_transformation_mode") else ""
        yield resize(mode + suffix + " nchw", (1, 64, 56, 56), (1, 1, 2, 2), mode=mode, **extra)
        if mode != "cubic":
            yield resize(mode + suffix + " nhwc", (1, 56, 56, 64), (1, 2, 2, 1), mode=mode, **extra)
    yield resize("linear 1.7 nchw", (1, 16, 97, 61), (1, 1, 1.7, 1.7), mode="linear")
    yield resize("linear down nchw", (1, 3, 480, 640), (1, 1, 0.4, 0.4), mode="linear")
    yield resize("nearest u8", (1, 3, 240, 320), (1, 1, 2, 2), np.uint8, mode="nearest", nearest_mode="floor",
                 coordinate_transformation_mode="asymmetric")
    yield Case("InstanceNorm 64x128x128", "InstanceNormalization", [normal(1, 64, 128, 128)], [normal(64), normal(64)])
    yield Case("InstanceNorm 8x256x32x32", "InstanceNormalization", [normal(8, 256, 32, 32)], [normal(256), normal(256)])
    yield Case("BatchNorm 64x56x56", "BatchNormalization", [normal(4, 64, 56, 56)],
               [normal(64), normal(64), normal(64), np.abs(normal(64)) + 0.1])
    for mode in ("constant", "reflect", "edge"):
        yield Case(f"Pad {mode} spatial", "Pad", [normal(1, 64, 112, 112)], [np.array([0, 0, 1, 1, 0, 0, 1, 1])], mode=mode)
    yield Case("Pad channels last", "Pad", [normal(1, 112, 112, 32)], [np.array([0, 1, 1, 0, 0, 1, 1, 0])])
    yield Case("Pad rows", "Pad", [normal(4096, 96)], [np.array([0, 0, 0, 32])])
    yield Case("ConvTranspose k4s2 64->32", "ConvTranspose", [normal(1, 64, 32, 32)], [normal(64, 32, 4, 4, scale=0.05)],
               strides=[2, 2], pads=[1, 1, 1, 1])
    yield Case("ConvTranspose k2s2 256->128", "ConvTranspose", [normal(1, 256, 28, 28)],
               [normal(256, 128, 2, 2, scale=0.05)], strides=[2, 2])
    yield Case("ConvTranspose k3s2 128", "ConvTranspose", [normal(1, 128, 28, 28)],
               [normal(128, 128, 3, 3, scale=0.05)], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
    yield Case("ConvTranspose 1d k16s8", "ConvTranspose", [normal(1, 256, 200)], [normal(256, 128, 16, scale=0.05)],
               strides=[8], pads=[4, 4])
    for axis in (-1, 1, 0):
        yield Case(f"Softmax axis {axis}", "Softmax", [normal(64, 128, 96)], axis=axis)
        yield Case(f"LogSoftmax axis {axis}", "LogSoftmax", [normal(64, 128, 96)], axis=axis)
    yield Case("Softmax vocabulary", "Softmax", [normal(16, 30522)], axis=-1)
    yield Case("LayerNorm 512x768", "LayerNormalization", [normal(4, 128, 768)], [normal(768), normal(768)], axis=-1)
    yield Case("TopK 1000 of 16", "TopK", [normal(16, 1000)], [np.array([5])], outputs=2)
    yield Case("TopK 100000", "TopK", [normal(1, 100000)], [np.array([300])], outputs=2)
    yield Case("TopK axis 0", "TopK", [normal(512, 256)], [np.array([8])], outputs=2, axis=0)
    yield Case("Gather rows", "Gather", [normal(30522, 384), integers(0, 30522, 4, 128)])
    yield Case("Gather columns", "Gather", [normal(256, 1024), integers(0, 1024, 300)], axis=1)
    yield Case("GatherElements", "GatherElements", [normal(64, 4096), integers(0, 4096, 64, 1024)], axis=1)
    yield Case("GatherND", "GatherND", [normal(128, 128, 32), integers(0, 128, 4096, 2)])
    for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 3, 1, 2], [1, 0, 2, 3], [3, 2, 1, 0]):
        yield Case(f"Transpose {perm}", "Transpose", [normal(4, 128, 12, 64)], perm=perm)
    yield Case("Transpose 1024x1024", "Transpose", [normal(1024, 1024)], perm=[1, 0])
    yield Case("Transpose nhwc large", "Transpose", [normal(1, 256, 56, 56)], perm=[0, 2, 3, 1])
    yield Case("Transpose nchw large", "Transpose", [normal(1, 56, 56, 256)], perm=[0, 3, 1, 2])
    for axis in (0, 1, -1):
        yield Case(f"Concat axis {axis}", "Concat", [normal(16, 64, 128), normal(16, 64, 128), normal(16, 64, 128)], axis=axis)
    yield Case("Split axis 1", "Split", [normal(16, 192, 128)], outputs=3, axis=1, num_outputs=3)
    yield Case("Split axis -1", "Split", [normal(512, 2304)], outputs=3, axis=-1, num_outputs=3)
    yield Case("Slice strided", "Slice", [normal(1, 64, 112, 112)],
               [np.array([0, 0]), np.array([2**31, 2**31]), np.array([2, 3]), np.array([2, 2])])
    yield Case("Expand", "Expand", [normal(64, 1, 96)], [np.array([64, 128, 96])])
    yield Case("Tile", "Tile", [normal(64, 96)], [np.array([8, 4])])
    yield Case("Where same", "Where", [integers(0, 2, 512, 768) > 0, normal(512, 768), normal(512, 768)])
    yield Case("Where mask", "Where", [integers(0, 2, 1, 1, 128, 128) > 0, normal(4, 12, 128, 128)], [np.float32(-1e9)])
    for axis in (0, 1, 2):
        yield Case(f"CumSum axis {axis}", "CumSum", [normal(64, 128, 96)], [np.int64(axis)])
        yield Case(f"CumSum int64 axis {axis}", "CumSum", [integers(0, 9, 64, 128, 96)], [np.int64(axis)])
    for op in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd"):
        for axes in ([2], [1], [0], [1, 2], [0, 2]):
            yield Case(f"{op} {axes}", op, [normal(64, 128, 96)], [np.array(axes)], keepdims=1)
    yield Case("ReduceSum int64 [1]", "ReduceSum", [integers(0, 9, 64, 128, 96)], [np.array([1])])
    yield Case("ArgMax vocabulary", "ArgMax", [normal(16, 30522)], axis=-1)
    yield Case("ArgMax axis 1", "ArgMax", [normal(4, 21, 128, 128)], axis=1)
    for op in ("Add", "Mul", "Div", "Pow", "Max"):
        yield Case(f"{op} same", op, [np.abs(normal(512, 768)) + 0.1, np.abs(normal(512, 768)) + 0.1])
    yield Case("Add channel", "Add", [normal(4, 64, 56, 56), normal(64, 1, 1)])
    yield Case("Sum of 4", "Sum", [normal(512, 768) for _ in range(4)])
    yield Case("Max of 3", "Max", [normal(512, 768) for _ in range(3)])
    yield Case("Mean of 3", "Mean", [normal(512, 768) for _ in range(3)])
    for op in ("Exp", "Log", "Sqrt", "Sin", "Cos", "Tanh", "Sigmoid", "Erf", "Floor", "Round", "Sign", "Abs", "Neg",
               "Reciprocal", "Softplus", "Gelu", "HardSwish", "Relu", "IsNaN", "Tan", "Atan"):
        yield Case(op, op, [np.abs(normal(512, 768)) + 0.1])
    yield Case("IsInf", "IsInf", [normal(512, 768)])
    yield Case("Add int64", "Add", [integers(0, 9, 512, 768), integers(0, 9, 512, 768)])
    yield Case("Div int64", "Div", [integers(0, 99, 512, 768), integers(1, 9, 512, 768)])
    yield Case("Mod int64", "Mod", [integers(0, 99, 512, 768), integers(1, 9, 512, 768)])
    yield Case("Equal int64", "Equal", [integers(0, 9, 512, 768), integers(0, 9, 512, 768)])
    yield Case("Less f32", "Less", [normal(512, 768), normal(512, 768)])
    yield Case("And", "And", [integers(0, 2, 512, 768) > 0, integers(0, 2, 512, 768) > 0])
    yield Case("BitwiseAnd i32", "BitwiseAnd", [integers(0, 99, 512, 768, dtype=np.int32), integers(0, 99, 512, 768, dtype=np.int32)])
    yield Case("Cast f32 i64", "Cast", [normal(512, 768, scale=9)], to=TensorProto.INT64)
    yield Case("Cast i64 f32", "Cast", [integers(0, 9, 512, 768)], to=TensorProto.FLOAT)
    yield Case("Cast f32 f16", "Cast", [normal(512, 768)], to=TensorProto.FLOAT16)
    yield Case("Cast f16 f32", "Cast", [normal(512, 768).astype(np.float16)], to=TensorProto.FLOAT)
    yield Case("QuantizeLinear", "QuantizeLinear", [normal(512, 768)], [np.float32(0.02), np.uint8(128)])
    yield Case("QuantizeLinear axis", "QuantizeLinear", [normal(512, 768)],
               [np.full(768, 0.02, np.float32), np.zeros(768, np.int8)], axis=1)
    yield Case("DequantizeLinear", "DequantizeLinear", [integers(0, 256, 512, 768, dtype=np.uint8)],
               [np.float32(0.02), np.uint8(128)])
    yield Case("DequantizeLinear axis", "DequantizeLinear", [integers(-128, 128, 512, 768, dtype=np.int8)],
               [np.full(768, 0.02, np.float32), np.zeros(768, np.int8)], axis=1)
    yield Case("DynamicQuantizeLinear", "DynamicQuantizeLinear", [normal(512, 768)], outputs=3)
    yield Case("MaxPool 3x3s2", "MaxPool", [normal(1, 64, 112, 112)], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    yield Case("MaxPool indices", "MaxPool", [normal(1, 64, 112, 112)], kernel_shape=[2, 2], strides=[2, 2], outputs=2)
    yield Case("AveragePool 3x3", "AveragePool", [normal(1, 64, 56, 56)], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    yield Case("GlobalAveragePool", "GlobalAveragePool", [normal(4, 512, 14, 14)])
    yield Case("GlobalMaxPool", "GlobalMaxPool", [normal(4, 512, 14, 14)])
    yield Case("LRN", "LRN", [normal(1, 96, 55, 55)], size=5)
    yield Case("LpNormalization", "LpNormalization", [normal(512, 768)], axis=-1, p=2)
    yield Case("MeanVarianceNorm", "MeanVarianceNormalization", [normal(4, 64, 56, 56)], axes=[0, 2, 3])
    yield Case("Hardmax", "Hardmax", [normal(512, 768)], axis=-1)
    yield Case("ScatterElements add", "ScatterElements", [normal(64, 1024), integers(0, 1024, 64, 512), normal(64, 512)],
               axis=1, reduction="add")
    yield Case("ScatterND", "ScatterND", [normal(4096, 64), integers(0, 4096, 512, 1), normal(512, 64)])
    yield Case("OneHot", "OneHot", [integers(0, 100, 4096)], [np.int64(100), np.array([0, 1], np.float32)])
    yield Case("NonZero", "NonZero", [integers(0, 2, 512, 768) > 0])
    yield Case("Trilu", "Trilu", [normal(12, 512, 512)])
    yield Case("DepthToSpace", "DepthToSpace", [normal(1, 64, 64, 64)], blocksize=2)
    yield Case("SpaceToDepth", "SpaceToDepth", [normal(1, 16, 128, 128)], blocksize=2)
    yield Case("GridSample", "GridSample", [normal(1, 32, 64, 64), np.tanh(normal(1, 64, 64, 2))])
    yield Case("GridSample 3d", "GridSample", [normal(1, 8, 16, 32, 32), np.tanh(normal(1, 16, 32, 32, 3))])
    boxes = np.sort(np.abs(normal(100, 2, 2)) * 20, axis=1).reshape(100, 4).astype(np.float32)
    for mode in ("avg", "max"):
        yield Case(f"RoiAlign {mode}", "RoiAlign", [normal(1, 64, 50, 50), boxes, integers(0, 1, 100)], mode=mode,
                   output_height=7, output_width=7, sampling_ratio=2, spatial_scale=0.5)
    yield Case("NonMaxSuppression", "NonMaxSuppression",
               [np.sort(np.abs(normal(1, 1000, 2, 2)), axis=2).reshape(1, 1000, 4), np.abs(normal(1, 4, 1000))],
               [np.array([100]), np.float32([0.5]), np.float32([0.2])])
    yield Case("DFT 512", "DFT", [normal(32, 512, 1)], [np.int64(512), np.int64(1)], onesided=1)
    yield Case("STFT", "STFT", [normal(1, 16000, 1)], [np.int64(160), np.hanning(400).astype(np.float32), np.int64(400)])
    yield Case("DFT 400", "DFT", [normal(98, 400, 1)], [np.int64(400), np.int64(1)], onesided=1)
    yield Case("ConvInteger", "ConvInteger", [integers(0, 256, 1, 32, 28, 28, dtype=np.uint8)],
               [integers(0, 256, 32, 32, 3, 3, dtype=np.uint8), np.uint8(128), np.uint8(120)], pads=[1, 1, 1, 1])
    yield Case("DeformConv", "DeformConv", [normal(1, 32, 28, 28), normal(32, 32, 3, 3, scale=0.1), normal(1, 18, 28, 28)],
               pads=[1, 1, 1, 1])
    yield Case("MatMulInteger", "MatMulInteger", [integers(0, 256, 128, 384, dtype=np.uint8)],
               [integers(-128, 128, 384, 384, dtype=np.int8), np.uint8(128), np.int8(0)])
    yield Case("MatMul f32", "MatMul", [normal(128, 384)], [normal(384, 384)])
    yield Case("MatMul variable", "MatMul", [normal(12, 128, 64), normal(12, 64, 128)])
    yield Case("Einsum bij,bkj->bik", "Einsum", [normal(12, 128, 64), normal(12, 128, 64)], equation="bij,bkj->bik")
    yield Case("MatMul f64", "MatMul", [normal(128, 384).astype(np.float64)], [normal(384, 384).astype(np.float64)])
    yield Case("Add f16", "Add", [normal(512, 768).astype(np.float16), normal(512, 768).astype(np.float16)])
    yield Case("Softmax f16", "Softmax", [normal(512, 768).astype(np.float16)])
    yield Case("Unique", "Unique", [integers(0, 1000, 100000)], outputs=4)
    yield Case("Range like EyeLike", "EyeLike", [normal(512, 512)])
    yield Case("Dropout off", "Dropout", [normal(512, 768)])


def time_block(run, seconds):
    """Median of a block of runs, the first ones left out."""
    began = time.perf_counter()
    while time.perf_counter() - began < seconds / 4:
        run()
    times = []
    while time.perf_counter() - began < seconds or len(times) < 3:
        t = time.perf_counter()
        run()
        times.append(time.perf_counter() - t)
    return statistics.median(times)


def largest_difference(a, b):
    worst = 0.0
    for x, y in zip(a, b):
        x, y = np.asarray(x), np.asarray(y)
        if x.shape != y.shape or x.dtype != y.dtype:
            return float("inf")
        if x.size:
            x, y = x.astype(np.float64), y.astype(np.float64)
            scale = max(1.0, float(np.nanmax(np.abs(y))))
            worst = max(worst, float(np.nanmax(np.abs(x - y))) / scale)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="comma-separated parts of names")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block", type=float, default=0.03, help="seconds of one side's runs in a round")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--above", type=float, default=0, help="print ratios from here on only")
    arguments = parser.parse_args()
    wanted = [part.lower() for part in arguments.only.split(",") if part]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.log_severity_level = 4
    rows, began = [], time.perf_counter()
    for case in cases():
        if wanted and not any(part in case.name.lower() for part in wanted):
            continue
        if time.perf_counter() - began > arguments.seconds:
            print(f"stopped before {case.name}")
            break
        feeds = {f"x{i}": x for i, x in enumerate(case.feeds)}
        try:
            model = case.model().SerializeToString()
            ours = tamis.Session(model, threads=arguments.threads)
            mine = ours.run(None, feeds)
        except Exception as error:  # noqa: BLE001
            rows.append((float("inf"), case.name, f"{'Tamis: ' + str(error).splitlines()[0][:90]}"))
            continue
        tactic = ", ".join(sorted({node.kernel for node in ours.profile(feeds, repeats=1)}))
        try:
            theirs = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            difference = largest_difference(mine, theirs.run(None, feeds))
        except Exception as error:  # noqa: BLE001
            seconds = time_block(lambda: ours.run(None, feeds), arguments.block)
            rows.append((0, case.name, f"{1e6 * seconds:9.1f} us; ONNX Runtime: {str(error).splitlines()[0][:60]} {tactic}"))
            continue
        ratios, both = [], ([], [])
        for _ in range(arguments.rounds):
            b = time_block(lambda: theirs.run(None, feeds), arguments.block)
            a = time_block(lambda: ours.run(None, feeds), arguments.block)
            ratios.append(a / b)
            both[0].append(a)
            both[1].append(b)
        rows.append((statistics.median(ratios), case.name,
                     f"{1e6 * statistics.median(both[0]):9.1f} {1e6 * statistics.median(both[1]):9.1f} us  "
                     f"difference {difference:.1e} {tactic}"))
    for ratio, name, text in sorted(rows, reverse=True):
        if ratio >= arguments.above:
            print(f"{ratio:6.2f}  {name:34} {text}")


if __name__ == "__main__":
    main()
