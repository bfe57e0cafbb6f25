// What becomes of Linear nodes that may round their operands to float8 (src/ops/op_float8.h).
#include <cstring>
#include <map>

#include "src/cuda/fuse_parts.h"
#include "src/ops/op_float8.h"

namespace tamis {
namespace {

class Float8Fusion {
 public:
  explicit Float8Fusion(Graph& graph) : graph_(graph) {}

  void Run() {
    for (const NodeId id : graph_.NodeIds()) Convert(id);
  }

 private:
  void Convert(NodeId id) {
    const auto scale = Float8ScaleOf(graph_.node(id));
    const Tensor* weight = scale ? graph_.ConstantInput(graph_.node(id), 1) : nullptr;
    // What the kernels take: rows that begin on multiples of 16 bytes.
    const bool fits = weight != nullptr && weight->rank() == 2 && weight->dim(0) % 16 == 0 &&
                      weight->dim(1) % 16 == 0 && weight->NumElements() > 0;
    if (!fits || (weight->dtype() != DType::kFloat16 && weight->dtype() != DType::kBFloat16)) return;
    const ValueId x = graph_.node(id).inputs[0];
    if (graph_.value(x).type.dtype != weight->dtype()) return;
    const ValueId bias = graph_.node(id).input(2);
    if (bias != kNoValue && graph_.ConstantInput(graph_.node(id), 2) == nullptr) return;

    const std::string name = graph_.value(graph_.node(id).outputs[0]).name;
    const Pattern pattern = graph_.value(graph_.node(id).inputs[1]).pattern;
    Float8Rows rows = RoundToFloat8(weight->ToFloat32().Span<const float>(), weight->dim(0));
    Tensor codes(DType::kFloat8E4M3, weight->dims());
    std::memcpy(codes.raw(), rows.codes.data(), rows.codes.size());
    for (float& of_row : rows.scales) of_row *= *scale;
    const Tensor scales = Tensor::Of<float>(DType::kFloat32, {codes.dim(0)}, std::span<const float>(rows.scales));
    const ValueId coded = AddHashed(graph_, name + "_float8_weight", std::move(codes), pattern);
    const ValueId factors = AddHashed(graph_, name + "_float8_scales", scales);
    const ValueId x_codes = CodesOf(x, *scale, name);
    Node& node = graph_.node(id);
    node.op = "Float8Linear";
    std::vector<ValueId> inputs = {x_codes, coded, factors};
    for (size_t i = 2; i < node.inputs.size(); ++i) inputs.push_back(node.inputs[i]);
    node.inputs = std::move(inputs);
    node.attributes.erase(kFloat8Scale);
    node.attributes["output_dtype"] = static_cast<int64_t>(graph_.value(node.outputs[0]).type.dtype);
  }

  // The codes of x, made once for all that read it by this scale.
  ValueId CodesOf(ValueId x, float scale, const std::string& reader) {
    const auto [found, inserted] = codes_.emplace(std::pair(x, scale), kNoValue);
    if (!inserted) return found->second;
    const std::string name = graph_.value(x).name + "_float8_for_" + reader;
    Type type = graph_.value(x).type;
    type.dtype = DType::kFloat8E4M3;
    Node quantize;
    quantize.op = "QuantizeLinear";
    quantize.inputs = {x, AddHashed(graph_, name + "_scale", Tensor::Float(scale)),
                       AddHashed(graph_, name + "_zero", Tensor(DType::kFloat8E4M3, Dims{}))};
    found->second = graph_.AddValue(StableName(graph_, name), std::move(type));
    quantize.outputs = {found->second};
    graph_.AddNode(std::move(quantize));
    return found->second;
  }

  Graph& graph_;
  std::map<std::pair<ValueId, float>, ValueId> codes_;
};

}  // namespace

void UseFloat8(Graph& graph) {
  Float8Fusion(graph).Run();
}

}  // namespace tamis
