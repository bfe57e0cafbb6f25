// fold_constants: evaluates nodes whose inputs are all constant by their reference, and turns integer values that the
// shape rules know element by element (a Shape of fixed dimensions, and what is computed from it) into constants.
// A result is bounded: above 64 MiB it must not be larger than the constants it replaces, so that a file can't blow up
// memory by a ConstantOfShape, an Expand or a Tile. DequantizeLinear stays: quantised weights are codes until
// propagate_quantization has looked for int8 products; fold_dequantized then evaluates what is left.
#include <algorithm>

#include "src/ops/op_def.h"
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/reinference.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

constexpr size_t kMaxGrownBytes = size_t{64} << 20;

// The types of all outputs are known, dense tensors of constant dimensions that are not too large.
bool ResultIsBounded(const Graph& graph, const Node& node) {
  size_t replaced = 0;
  for (ValueId input : node.inputs) {
    if (input != kNoValue) replaced += graph.value(input).constant->NumBytes();
  }
  size_t bytes = 0;
  for (ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    const Shape* shape = ShapeOf(graph, output);
    const auto dims = shape ? ConstantDims(*shape) : std::nullopt;
    const int64_t count = dims ? NumElements(*dims) : -1;
    if (count < 0 || BitSize(DTypeOf(graph, output)) == 0) return false;
    bytes += ByteSize(DTypeOf(graph, output), static_cast<size_t>(count));
  }
  return bytes <= std::max(kMaxGrownBytes, replaced);
}

bool IsFoldable(const Graph& graph, const Node& node, bool dequantize) {
  if (node.Is("DequantizeLinear") && !dequantize) return false;
  if (!node.domain.empty() || !node.regions.empty()) return false;
  const bool constant = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
    return input == kNoValue || graph.value(input).IsConstant();
  });
  if (!constant || IsRandom(node)) return false;
  const OpDef* op = FindOp(node.op, node.domain);
  return op != nullptr && op->eval != nullptr;
}

std::optional<Tensor> KnownContents(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  const auto elements = value.contents ? ConstantDims(*value.contents) : std::nullopt;
  const Shape* shape = ShapeOf(graph, id);
  const auto dims = shape ? ConstantDims(*shape) : std::nullopt;
  if (!elements || !dims || NumElements(*dims) != static_cast<int64_t>(elements->size())) return std::nullopt;
  if (value.type.dtype == DType::kInt64) return Tensor::Int64s(*elements).Reshaped(*dims);
  if (value.type.dtype != DType::kInt32) return std::nullopt;
  Tensor tensor(DType::kInt32, *dims);
  std::transform(elements->begin(), elements->end(), tensor.Data<int32_t>(),
                 [](int64_t v) { return static_cast<int32_t>(v); });
  return tensor;
}

Status Fold(Graph& graph, const PassOptions& options, bool dequantize) {
  Reinference reinference(graph);
  // The result takes the place of the node's output value, so that names stay.
  const auto set_constant = [&](ValueId id, Tensor tensor) {
    options.Edited();
    Value& value = graph.value(id);
    value.type = Type::Tensor(tensor.dtype(), ToShape(tensor.dims()));
    value.constant = std::move(tensor);
    value.producer = kNoNode;
    reinference.Changed(id);
  };
  for (NodeId id : graph.NodeIds()) {
    TAMIS_RETURN_IF_ERROR(reinference.Visit(id, false));
    const Node& node = graph.node(id);
    if (node.outputs.size() == 1 && node.outputs[0] != kNoValue) {
      if (auto known = KnownContents(graph, node.outputs[0])) {
        const ValueId output = node.outputs[0];
        graph.RemoveNode(id);
        set_constant(output, std::move(*known));
        continue;
      }
    }
    if (!IsFoldable(graph, node, dequantize) || !ResultIsBounded(graph, node)) continue;
    std::vector<const Tensor*> operands;
    for (size_t i = 0; i < node.inputs.size(); ++i) operands.push_back(graph.ConstantInput(node, i));
    std::vector<DType> dtypes;
    for (ValueId output : node.outputs) {
      dtypes.push_back(output == kNoValue ? DType::kUndefined : DTypeOf(graph, output));
    }
    TAMIS_ASSIGN_OR_RETURN(auto results, EvaluateNode(node, graph.Opset(node.domain), operands, dtypes));
    const std::vector<ValueId> outputs = node.outputs;
    graph.RemoveNode(id);
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue) set_constant(outputs[i], std::move(results[i]));
    }
  }
  return {};
}

}  // namespace

Status FoldConstants(Graph& graph, const PassOptions& options) {
  return Fold(graph, options, false);
}

Status FoldDequantized(Graph& graph, const PassOptions& options) {
  return Fold(graph, options, true);
}

}  // namespace tamis
