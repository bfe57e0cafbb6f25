#include "src/passes/scale_weights.h"

#include "src/passes/match.h"

namespace tamis {
namespace {

bool IsF32Constant(const Graph& graph, ValueId id) {
  return id != kNoValue && graph.value(id).constant && graph.value(id).constant->dtype() == DType::kFloat32;
}

// Element (i, j, rest) of a [rows, columns, rest...] weight belongs to the output channel that this gives.
struct ChannelMap {
  int64_t row_factor = 0, row_divisor = 1, column_factor = 0;
  int64_t operator()(int64_t row, int64_t column) const {
    return row / row_divisor * row_factor + column * column_factor;
  }
};

ChannelMap MapOf(const Node& node, const Dims& dims) {
  if (node.Is("ConvTranspose")) {
    return {dims[1], std::max<int64_t>(dims[0] / std::max<int64_t>(node.Int("group", 1), 1), 1), 1};
  }
  const bool rows = node.Is("Conv") || (node.Is("Gemm") && node.Int("transB", 0) != 0);
  return rows ? ChannelMap{1, 1, 0} : ChannelMap{0, 1, 1};
}

int64_t ChannelsOf(const Node& node, const Dims& dims) {
  if (node.Is("ConvTranspose")) return dims[1] * node.Int("group", 1);
  return node.Is("Conv") || (node.Is("Gemm") && node.Int("transB", 0) != 0) ? dims[0] : dims[1];
}

}  // namespace

std::optional<ScalableProducer> FindScalableProducer(const Rewriter& rewriter, ValueId value) {
  const Graph& graph = rewriter.graph();
  if (value == kNoValue || !rewriter.SingleUse(value) || graph.value(value).producer == kNoNode) return std::nullopt;
  const NodeId id = graph.value(value).producer;
  const Node& node = graph.node(id);
  const bool conv = node.Is("Conv") || node.Is("ConvTranspose");
  if (!conv && !node.Is("Gemm") && !node.Is("MatMul")) return std::nullopt;
  if (!IsF32Constant(graph, node.input(1))) return std::nullopt;
  const Dims& dims = graph.value(node.input(1)).constant->dims();
  const int64_t rank = RankOf(graph, value);
  if (rank < 1 || (conv ? dims.size() < 3 : dims.size() != 2)) return std::nullopt;
  if (conv && node.Int("group", 1) < 1) return std::nullopt;
  const int64_t channels = ChannelsOf(node, dims);
  const ValueId bias = node.input(2);
  if (bias != kNoValue && !node.Is("MatMul")) {
    if (!IsF32Constant(graph, bias) || graph.value(bias).constant->NumElements() != channels) return std::nullopt;
    if (graph.value(bias).constant->dim(-1) != channels) return std::nullopt;
    if (node.Is("Gemm") && node.Float("beta", 1) != 1) return std::nullopt;
  }
  return ScalableProducer{id, channels, conv ? 1 : rank - 1, rewriter.Uses(node.input(1)) > 1, !node.Is("MatMul")};
}

void ScaleProducer(Rewriter& rewriter, const ScalableProducer& producer, std::span<const double> scale,
                   std::span<const double> shift) {
  Graph& graph = rewriter.graph();
  const Node& node = graph.node(producer.node);
  const ValueId weight_id = node.input(1);
  const Tensor weight = *graph.value(weight_id).constant;
  const ChannelMap channel = MapOf(node, weight.dims());
  const int64_t rows = weight.dim(0), columns = weight.dim(1);
  const int64_t rest = rows * columns == 0 ? 0 : weight.NumElements() / (rows * columns);
  Tensor scaled(DType::kFloat32, weight.dims());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      const double factor = scale[static_cast<size_t>(channel(i, j))];
      const int64_t begin = (i * columns + j) * rest;
      for (int64_t k = begin; k < begin + rest; ++k) {
        scaled.Data<float>()[k] = static_cast<float>(weight.Data<float>()[k] * factor);
      }
    }
  }
  if (producer.takes_shift) {
    const ValueId bias_id = node.input(2);
    const Tensor* bias = graph.ConstantInput(node, 2);
    Tensor shifted(DType::kFloat32, bias != nullptr ? bias->dims() : Dims{producer.channels});
    for (int64_t i = 0; i < producer.channels; ++i) {
      const double old = bias != nullptr ? bias->Data<float>()[i] : 0;
      const auto c = static_cast<size_t>(i);
      shifted.Data<float>()[i] = static_cast<float>(old * scale[c] + shift[c]);
    }
    if (bias_id == kNoValue) {
      Node& changed = graph.node(producer.node);
      changed.inputs.resize(3, kNoValue);
      if (changed.Is("Gemm")) changed.attributes["beta"] = 1.0f;
      rewriter.SetInput(producer.node, 2, rewriter.AddConstant(graph.value(weight_id).name + "_bias", shifted));
    } else {
      rewriter.SetInput(producer.node, 2, rewriter.ChangedConstant(bias_id, shifted));
    }
  }
  rewriter.SetInput(producer.node, 1, rewriter.ChangedConstant(weight_id, scaled));
}

}  // namespace tamis
