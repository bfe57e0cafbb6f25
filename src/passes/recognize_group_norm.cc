// recognize_group_norm: group and instance normalisations become ChannelsLastGroupNorm between two changes of order,
// which make_channels_last then joins with its neighbours. Taken are
//
//   InstanceNormalization(x)                                                       one channel a group
//   Reshape(InstanceNormalization(Reshape(x, [N, G, ...])), shape of x)            as exporters write group norms
//   GroupNormalization(x)                                                          parameters a channel or a group
//
// each with a following Mul and Add by constants of one number a channel, where a convolution is near: others have
// kernels for ONNX's order.
#include "src/passes/all_passes.h"
#include "src/passes/channels_last.h"
#include "src/passes/match.h"
#include "src/passes/near_convolutions.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

struct GroupNorm {
  ValueId x = kNoValue;
  ValueId result = kNoValue;  // what has the shape of x again
  int64_t groups = 0, channels = 0;
  std::vector<float> scale, bias;  // a channel
  float epsilon = 0;
};

// `count` numbers of a constant f32 vector, each repeated so that there are `channels`.
std::optional<std::vector<float>> PerChannel(const Graph& graph, ValueId id, int64_t channels) {
  if (id == kNoValue || !graph.value(id).IsConstant()) return std::nullopt;
  const Tensor& tensor = *graph.value(id).constant;
  const int64_t count = tensor.NumElements();
  if (tensor.dtype() != DType::kFloat32 || tensor.rank() != 1 || count < 1 || channels % count != 0)
    return std::nullopt;
  std::vector<float> values;
  for (int64_t c = 0; c < channels; ++c) {
    values.push_back(tensor.Data<float>()[static_cast<size_t>(c * count / channels)]);
  }
  return values;
}

// What a Reshape makes [N, G, ...] of, if it keeps the batch and cuts the channels into G groups.
ValueId Ungrouped(const Graph& graph, ValueId grouped) {
  const Node* reshape = Producer(graph, grouped, "Reshape");
  const Shape* from = reshape ? ShapeOf(graph, reshape->input(0)) : nullptr;
  const Shape* to = ShapeOf(graph, grouped);
  if (from == nullptr || to == nullptr || from->size() < 3 || to->size() < 3 || !((*from)[0] == (*to)[0])) {
    return kNoValue;
  }
  const auto channels = (*from)[1].Constant(), groups = (*to)[1].Constant();
  return channels && groups && *groups > 0 && *channels % *groups == 0 ? reshape->input(0) : kNoValue;
}

std::string Match(const Rewriter& rewriter, NodeId id, GroupNorm* norm) {
  const Graph& graph = rewriter.graph();
  const Node& node = graph.node(id);
  norm->x = node.input(0);
  norm->result = node.outputs[0];
  norm->epsilon = node.Float("epsilon", 1e-5f);
  if (DTypeOf(graph, norm->x) != DType::kFloat32) return "it isn't float32";
  const Shape* shape = ShapeOf(graph, norm->x);
  if (shape == nullptr || shape->size() < 3) return "the rank of its input is unknown or below 3";
  if (node.Is("InstanceNormalization")) {
    const auto groups = (*shape)[1].Constant();
    if (!groups) return "the number of channels isn't fixed";
    norm->groups = *groups;
    const ValueId ungrouped = Ungrouped(graph, norm->x);
    if (ungrouped != kNoValue && rewriter.SingleUse(norm->x) && rewriter.SingleUse(norm->result)) {
      const NodeId reader = rewriter.Users(norm->result)[0];
      const bool back = graph.node(reader).Is("Reshape") && graph.node(reader).input(0) == norm->result &&
                        SameShape(graph, graph.node(reader).outputs[0], ungrouped);
      if (back) {
        norm->x = ungrouped;
        norm->result = graph.node(reader).outputs[0];
        shape = ShapeOf(graph, norm->x);
      }
    }
  } else {
    norm->groups = node.Int("num_groups", 0);
  }
  const auto channels = (*shape)[1].Constant();
  if (!channels || norm->groups < 1 || *channels % norm->groups != 0) return "the number of channels isn't fixed";
  norm->channels = *channels;
  const auto scale = PerChannel(graph, node.input(1), *channels);
  const auto bias = PerChannel(graph, node.input(2), *channels);
  if (!scale || !bias) return "scale and bias aren't constant";
  norm->scale = *scale;
  norm->bias = *bias;
  return "";
}

// Takes in a Mul and then an Add by constants of one number a channel.
void JoinAffine(const Rewriter& rewriter, GroupNorm* norm) {
  const Graph& graph = rewriter.graph();
  const int64_t rank = RankOf(graph, norm->x);
  for (const std::string_view op : {"Mul", "Add"}) {
    if (!rewriter.SingleUse(norm->result)) return;
    const Node& reader = graph.node(rewriter.Users(norm->result)[0]);
    const auto other = reader.Is(op) ? OtherOperand(reader, norm->result) : std::nullopt;
    if (!other || !IsPerChannel(graph, *other, rank, 1, norm->channels)) continue;
    const Tensor& constant = *graph.value(*other).constant;
    if (constant.dtype() != DType::kFloat32) continue;
    for (size_t c = 0; c < norm->scale.size(); ++c) {
      const float value = constant.Data<float>()[c];
      if (op == "Mul") {
        norm->scale[c] *= value;
        norm->bias[c] *= value;
      } else {
        norm->bias[c] += value;
      }
    }
    norm->result = reader.outputs[0];
  }
}

Tensor Vector(const std::vector<float>& values) {
  Tensor tensor(DType::kFloat32, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.Data<float>());
  return tensor;
}

void Replace(Rewriter& rewriter, const GroupNorm& norm) {
  Graph& graph = rewriter.graph();
  const Shape shape = *ShapeOf(graph, norm.x);
  const auto rank = static_cast<int64_t>(shape.size());
  const Type turned = Type::Tensor(DType::kFloat32, Permuted(shape, ToChannelsLast(rank)));
  const std::string name = graph.value(norm.result).name;
  const ValueId input = rewriter.Append("Transpose", "", {norm.x}, {{"perm", ToChannelsLast(rank)}},
                                        graph.value(norm.x).name + std::string(kChannelsLastSuffix), turned);
  const ValueId scale = rewriter.AddConstant(name + "_scale", Vector(norm.scale));
  const ValueId bias = rewriter.AddConstant(name + "_bias", Vector(norm.bias));
  const ValueId normal = rewriter.Append("ChannelsLastGroupNorm", kTamisDomain, {input, scale, bias},
                                         {{"num_groups", norm.groups}, {"epsilon", norm.epsilon}},
                                         name + std::string(kChannelsLastSuffix), turned);
  rewriter.Replace(graph.value(norm.result).producer,
                   MakeNode("Transpose", "", {normal}, {norm.result}, {{"perm", FromChannelsLast(rank)}}));
}

}  // namespace

Status RecognizeGroupNorm(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  std::optional<std::vector<bool>> near;
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (node.removed || node.outputs.size() != 1) continue;
    if (!node.Is("InstanceNormalization") && !node.Is("GroupNormalization")) continue;
    if (!near) near = NearConvolutions(graph);
    GroupNorm norm;
    const bool alone = !(*near)[static_cast<size_t>(id)];
    const std::string reason = alone ? "no convolution is near" : Match(rewriter, id, &norm);
    if (!reason.empty()) {
      options.Missed(graph, node.outputs[0], "ChannelsLastGroupNorm", reason);
      continue;
    }
    JoinAffine(rewriter, &norm);
    options.Matched(graph, norm.result, "ChannelsLastGroupNorm");
    Replace(rewriter, norm);
  }
  return {};
}

}  // namespace tamis
