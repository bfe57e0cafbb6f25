#include "src/compiler/permute/permute_rules.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "src/passes/match.h"

namespace tamis {
namespace {

// The rule of operators that pass on what channels their first input has.
template <void (*kRule)(ChannelTrace&, NodeId, ChannelLabel)>
void OfFirst(ChannelTrace& trace, NodeId id) {
  if (const ChannelLabel* label = trace.Of(trace.graph().node(id).input(0))) kRule(trace, id, *label);
}

const std::unordered_map<std::string_view, ChannelRule>& Table() {
  static const auto* table = [] {
    auto* rules = new std::unordered_map<std::string_view, ChannelRule>;
    for (const char* op :
         {"Add",   "Sub", "Mul", "Div", "Pow",   "Max",  "Min",         "Sum",     "Mean",           "Mod", "Where",
          "PRelu", "And", "Or",  "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Clip"}) {
      rules->emplace(op, TraceElementwise);
    }
    for (const char* op : {"Abs",        "Acos",     "Acosh",     "Asin",
                           "Asinh",      "Atan",     "Atanh",     "Cast",
                           "CastLike",   "Ceil",     "Celu",      "Cos",
                           "Cosh",       "Elu",      "Erf",       "Exp",
                           "Floor",      "Gelu",     "HardSwish", "HardSigmoid",
                           "Identity",   "IsInf",    "IsNaN",     "LeakyRelu",
                           "Log",        "Mish",     "Neg",       "Not",
                           "Reciprocal", "Relu",     "Round",     "Selu",
                           "Shrink",     "Sigmoid",  "Sign",      "Sin",
                           "Sinh",       "Softplus", "Softsign",  "Sqrt",
                           "Swish",      "Tan",      "Tanh",      "ThresholdedRelu",
                           "Dropout"}) {
      rules->emplace(op, OfFirst<TraceUnary>);
    }
    for (const char* op : {"Shape", "Size"}) rules->emplace(op, TraceNothing);
    rules->emplace("Conv", TraceConv);
    rules->emplace("ConvTranspose", TraceConvTranspose);
    rules->emplace("MatMul", TraceMatMul);
    rules->emplace("Gemm", TraceGemm);
    rules->emplace("Einsum", TraceEinsum);
    rules->emplace("Attention", TraceAttention);
    for (const char* op : {"LSTM", "GRU", "RNN"}) rules->emplace(op, TraceRecurrent);
    for (const char* op : {"BatchNormalization", "InstanceNormalization"}) rules->emplace(op, OfFirst<TraceBatchNorm>);
    rules->emplace("GroupNormalization", OfFirst<TraceGroupNorm>);
    for (const char* op : {"LayerNormalization", "RMSNormalization"}) rules->emplace(op, OfFirst<TraceLayerNorm>);
    for (const char* op : {"Softmax", "LogSoftmax", "LpNormalization"}) rules->emplace(op, OfFirst<TraceAlongAxis>);
    for (const char* op : {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                           "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}) {
      rules->emplace(op, OfFirst<TraceReduce>);
    }
    for (const char* op : {"MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool",
                           "Resize", "Upsample"}) {
      rules->emplace(op, OfFirst<TraceSpatial>);
    }
    for (const char* op : {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}) rules->emplace(op, OfFirst<TraceReshape>);
    rules->emplace("Pad", OfFirst<TracePad>);
    rules->emplace("Transpose", OfFirst<TraceTranspose>);
    rules->emplace("Expand", TraceExpand);
    rules->emplace("Slice", TraceSlice);
    rules->emplace("Split", OfFirst<TraceSplit>);
    rules->emplace("Concat", TraceConcat);
    rules->emplace("Gather", TraceGather);
    rules->emplace("GatherND", TraceGatherND);
    return rules;
  }();
  return *table;
}

}  // namespace

ChannelRule FindChannelRule(const Node& node) {
  if (!node.domain.empty()) return nullptr;
  const auto found = Table().find(node.op);
  return found == Table().end() ? nullptr : found->second;
}

void TraceNothing(ChannelTrace& /*trace*/, NodeId /*id*/) {}

void TraceUnary(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Node& node = trace.graph().node(id);
  for (const ValueId output : node.outputs) {
    if (output != kNoValue) trace.Set(output, label);
  }
}

void TraceElementwise(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const int64_t rank = RankOf(graph, node.outputs[0]);
  size_t first = 0;
  while (first < node.inputs.size() && trace.Of(node.inputs[first]) == nullptr) ++first;
  if (first == node.inputs.size()) return;
  ChannelLabel label = *trace.Of(node.inputs[first]);
  const std::vector<int64_t> dims = trace.DimsOf(label, node.inputs[first]);
  const int64_t shift = rank - RankOf(graph, node.inputs[first]);
  bool known = rank >= 0;
  for (int64_t& axis : label.axes) axis += shift;
  if (known) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (i != first && !trace.MeetOperand(id, i, label, dims, rank)) known = false;
    }
  }
  if (known) {
    trace.Set(node.outputs[0], label);
    return;
  }
  trace.PinInputs(id, "has operands of unknown shapes");
}

void TraceTranspose(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Node& node = trace.graph().node(id);
  const int64_t rank = RankOf(trace.graph(), node.input(0));
  std::vector<int64_t> perm = node.Ints("perm");
  if (perm.empty()) {
    for (int64_t i = rank; i-- > 0;) perm.push_back(i);
  }
  for (int64_t& axis : label.axes) axis = std::find(perm.begin(), perm.end(), axis) - perm.begin();
  trace.Set(node.outputs[0], label);
}

}  // namespace tamis
