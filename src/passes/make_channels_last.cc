// make_channels_last: convolutions and pools run on channels-last activations, and so does what lies between them.
// Every node that may run in that order does so on the channels-last twins of its operands; the change back to ONNX's
// order stands behind it only for readers that need it. A batch normalisation that no convolution took in becomes a
// product and a sum. Pools and norms that no convolution is near stay as they are.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/ops/op_is_elementwise.h"
#include "src/passes/all_passes.h"
#include "src/passes/channels_last.h"
#include "src/passes/codes.h"
#include "src/passes/match.h"
#include "src/passes/near_convolutions.h"
#include "src/passes/rewriter.h"
#include "src/passes/tiling.h"

namespace tamis {
namespace {

using Attributes = std::map<std::string, Attribute>;

class ChannelsLastMaker {
 public:
  ChannelsLastMaker(Graph& graph, const PassOptions& options)
      : graph_(graph), near_(NearConvolutions(graph)), rewriter_(graph, options), twins_(rewriter_) {}

  void Convert(NodeId id) {
    const Node& node = graph_.node(id);
    if ((!node.domain.empty() && !IsElementwise(node)) || node.outputs.empty() || node.outputs[0] == kNoValue) return;
    if (node.Is("Conv")) return ConvertConv(id);
    if (node.Is("ConvTranspose")) return ConvertConvTranspose(id);
    const bool near = near_[static_cast<size_t>(id)];
    if (node.Is("MaxPool") || node.Is("AveragePool")) return near ? ConvertPool(id) : void();
    if (node.Is("GlobalAveragePool")) return near ? ConvertGlobalPool(id) : void();
    if (node.Is("BatchNormalization")) return near ? ConvertBatchNorm(id) : void();
    if (node.Is("Transpose")) return MeetTranspose(id);
    if (node.Is("Reshape")) return near ? ConvertReshape(id) : void();
    if (std::none_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) { return twins_.Has(input); })) return;
    if (IsElementwise(node)) return ConvertElementwise(id);
    if (node.Is("ReduceMean")) return ConvertReduceMean(id);
    if (node.Is("Concat")) return ConvertConcat(id);
    if (node.Is("Pad")) return ConvertPad(id);
    if (node.Is("Resize")) return ConvertResize(id);
    if (node.Is("Softmax") || node.Is("LogSoftmax")) return ConvertSoftmax(id);
    if (node.Is("Split")) return ConvertSplit(id);
    if (node.Is("Slice")) return ConvertSlice(id);
  }

 private:
  int64_t InputRank(const Node& node) const { return RankOf(graph_, node.input(0)); }
  bool IsSpatial(const Node& node) const {
    const int64_t rank = InputRank(node);
    return rank >= 3 && rank <= 5 && RankOf(graph_, node.outputs[0]) == rank;
  }
  bool IsSpatialFloat(const Node& node) const {
    return IsSpatial(node) && DTypeOf(graph_, node.input(0)) == DType::kFloat32;
  }

  // Strides, dilations and pads spelled out for a window of these sizes; nullopt if the pads depend on an unknown size.
  std::optional<Attributes> ExplicitWindow(const Node& node, const std::vector<int64_t>& kernel) const {
    const size_t spatial = kernel.size();
    const std::vector<int64_t> strides = node.Ints("strides", std::vector<int64_t>(spatial, 1));
    const std::vector<int64_t> dilations = node.Ints("dilations", std::vector<int64_t>(spatial, 1));
    std::vector<int64_t> pads(2 * spatial, 0);
    const std::string auto_pad = node.String("auto_pad", "NOTSET");
    if (auto_pad == "NOTSET") pads = node.Ints("pads", pads);
    if (strides.size() != spatial || dilations.size() != spatial || pads.size() != 2 * spatial) return std::nullopt;
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
      for (size_t i = 0; i < spatial; ++i) {
        const int64_t extent = (kernel[i] - 1) * dilations[i] + 1;
        int64_t total = extent - 1;
        if (strides[i] != 1) {
          const auto in = (*ShapeOf(graph_, node.input(0)))[i + 2].Constant();
          if (!in || strides[i] < 1) return std::nullopt;
          total = std::max<int64_t>(((*in + strides[i] - 1) / strides[i] - 1) * strides[i] + extent - *in, 0);
        }
        pads[i] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
        pads[i + spatial] = total - pads[i];
      }
    }
    return Attributes{{"strides", strides}, {"dilations", dilations}, {"pads", pads}};
  }

  void ConvertConv(NodeId id) {
    const Node& node = graph_.node(id);
    const Tensor* weight = graph_.ConstantInput(node, 1);
    if (!IsSpatialFloat(node) || weight == nullptr || weight->dtype() != DType::kFloat32) return;
    const int64_t rank = InputRank(node);
    if (weight->rank() != rank) return;
    const std::vector<int64_t> kernel(weight->dims().begin() + 2, weight->dims().end());
    auto attributes = ExplicitWindow(node, kernel);
    if (!attributes) return;
    (*attributes)["group"] = node.Int("group", 1);
    std::vector<ValueId> inputs = {node.input(0), node.input(1)};
    if (node.input(2) != kNoValue) inputs.push_back(node.input(2));
    inputs[0] = twins_.Get(inputs[0]);
    inputs[1] = WeightOf(inputs[1]);
    twins_.Convert(id, "ChannelsLastConv", kTamisDomain, inputs, *attributes);
  }

  void ConvertConvTranspose(NodeId id) {
    const Node& node = graph_.node(id);
    const Tensor* weight = graph_.ConstantInput(node, 1);
    const int64_t rank = InputRank(node);
    if (!IsSpatialFloat(node) || weight == nullptr || weight->dtype() != DType::kFloat32 || weight->rank() != rank) {
      return;
    }
    const auto spatial = static_cast<size_t>(rank - 2);
    // Pads that follow from a wanted size depend on the input's: those nodes stay.
    if (node.String("auto_pad", "NOTSET") != "NOTSET" || node.Has("output_shape")) return;
    const std::vector<int64_t> ones(spatial, 1), zeros(spatial, 0);
    Attributes attributes = {{"strides", node.Ints("strides", ones)},
                             {"dilations", node.Ints("dilations", ones)},
                             {"pads", node.Ints("pads", std::vector<int64_t>(2 * spatial, 0))},
                             {"output_padding", node.Ints("output_padding", zeros)},
                             {"group", node.Int("group", 1)}};
    if (ConvertTiling(id)) return;
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = twins_.Get(inputs[0]);
    twins_.Convert(id, "ChannelsLastConvTranspose", kTamisDomain, inputs, attributes);
  }

  // Tiles that do not overlap are a product whose rows are put in order.
  bool ConvertTiling(NodeId id) {
    const Node& node = graph_.node(id);
    const Tensor* weight = graph_.ConstantInput(node, 1);
    const auto tiling = TilingOf(graph_, node, weight->dims());
    const Tensor* bias = node.input(2) == kNoValue ? nullptr : graph_.ConstantInput(node, 2);
    if (!tiling || (node.input(2) != kNoValue && (bias == nullptr || bias->dtype() != DType::kFloat32))) return false;
    const Tensor turned = TilingWeight(*weight);
    std::vector<float> channels;
    if (bias != nullptr) channels.assign(bias->Span<float>().begin(), bias->Span<float>().end());
    const size_t spatial = tiling->kernel.size();
    const std::vector<int64_t> ones(spatial, 1);
    const std::string name = graph_.value(node.outputs[0]).name;
    std::vector<ValueId> inputs = {twins_.Get(node.input(0)), rewriter_.AddConstant(name + "_tiles_weight", turned)};
    if (!channels.empty()) {
      const std::vector<float> repeated = ForEachTile(channels, *tiling);
      Tensor tensor(DType::kFloat32, {static_cast<int64_t>(repeated.size())});
      std::copy(repeated.begin(), repeated.end(), tensor.Data<float>());
      inputs.push_back(rewriter_.AddConstant(name + "_tiles_bias", std::move(tensor)));
    }
    const ValueId tiles = rewriter_.Append(
        "ChannelsLastConv", kTamisDomain, inputs,
        {{"strides", ones}, {"dilations", ones}, {"pads", std::vector<int64_t>(2 * spatial, 0)}, {"group", int64_t{1}}},
        name + "_tiles", Type::Tensor(DType::kFloat32, tiling->tiles));
    ValueId target = kNoValue;
    const ValueId rows = TilesInOrder(rewriter_, tiles, *tiling, DType::kFloat32, name, &target);
    twins_.Convert(id, "Reshape", "", {rows, target}, {});
    return true;
  }

  // Scales or sizes move with their axes.
  void ConvertResize(NodeId id) {
    const Node& node = graph_.node(id);
    const int64_t rank = InputRank(node);
    const bool region = node.input(1) != kNoValue && graph_.Opset() >= 11 &&
                        node.String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";
    if (rank < 3 || node.Has("axes") || region || RankOf(graph_, node.outputs[0]) != rank) return;
    std::vector<ValueId> inputs = {node.input(0)};
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      const ValueId operand = node.inputs[i];
      const Tensor* constant = graph_.ConstantInput(node, i);
      const bool given = operand != kNoValue && !(constant != nullptr && constant->NumElements() == 0);
      const bool roi = i == 1 && graph_.Opset() >= 11;
      if (!given || roi) {
        inputs.push_back(kNoValue);
        continue;
      }
      const Shape* shape = ShapeOf(graph_, operand);
      if (shape == nullptr || *shape != Shape{Dim(rank)}) return;
      inputs.push_back(operand);
    }
    const std::vector<int64_t> perm = ToChannelsLast(rank);
    for (size_t i = 1; i < inputs.size(); ++i) {
      if (inputs[i] == kNoValue) continue;
      const std::string name = graph_.value(inputs[i]).name + std::string(kChannelsLastSuffix);
      if (!graph_.value(inputs[i]).IsConstant()) {
        const ValueId order = rewriter_.AddConstant(name + "_order", Tensor::Int64s(perm));
        inputs[i] = rewriter_.Append("Gather", "", {inputs[i], order}, {}, name, graph_.value(inputs[i]).type);
        continue;
      }
      const Tensor& values = *graph_.value(inputs[i]).constant;
      Tensor moved(values.dtype(), values.dims());
      const size_t bytes = ByteSize(values.dtype(), 1);
      for (size_t axis = 0; axis < perm.size(); ++axis) {
        std::memcpy(moved.raw() + axis * bytes, values.raw() + static_cast<size_t>(perm[axis]) * bytes, bytes);
      }
      inputs[i] = rewriter_.AddConstant(name, std::move(moved));
    }
    const Attributes attributes = graph_.node(id).attributes;
    inputs[0] = twins_.Get(inputs[0]);
    twins_.Convert(id, "Resize", "", inputs, attributes);
  }

  // The [O, spatial..., I] form of a weight, made once.
  ValueId WeightOf(ValueId original) {
    const bool made = twins_.Has(original);
    const ValueId twin = twins_.Get(original);
    if (!made) graph_.value(twin).origin = WeightOrigin{graph_.value(original).name, WeightTransform::kOihwToOhwi};
    return twin;
  }

  void ConvertPool(NodeId id) {
    const Node& node = graph_.node(id);
    const bool max = node.Is("MaxPool");
    const bool indices = node.outputs.size() > 1 && node.outputs[1] != kNoValue;
    const std::vector<int64_t> kernel = node.Ints("kernel_shape");
    const bool codes = max && IsSpatial(node) && Is8Bit(DTypeOf(graph_, node.input(0)));
    if ((!IsSpatialFloat(node) && !codes) || indices || static_cast<int64_t>(kernel.size()) != InputRank(node) - 2)
      return;
    auto attributes = ExplicitWindow(node, kernel);
    if (!attributes) return;
    (*attributes)["kernel_shape"] = kernel;
    (*attributes)["ceil_mode"] = node.Int("ceil_mode", 0);
    if (!max) (*attributes)["count_include_pad"] = node.Int("count_include_pad", 0);
    const ValueId input = twins_.Get(node.input(0));
    twins_.Convert(id, max ? "ChannelsLastMaxPool" : "ChannelsLastAveragePool", kTamisDomain, {input}, *attributes);
  }

  void ConvertGlobalPool(NodeId id) {
    if (!IsSpatialFloat(graph_.node(id))) return;
    twins_.Convert(id, "ChannelsLastGlobalAveragePool", kTamisDomain, {twins_.Get(graph_.node(id).input(0))}, {});
  }

  // A mean over all spatial axes.
  void ConvertReduceMean(NodeId id) {
    const Node& node = graph_.node(id);
    const auto axes = ReduceAxes(graph_, node);
    const int64_t rank = InputRank(node);
    if (!axes || rank < 3 || !twins_.Has(node.input(0)) || DTypeOf(graph_, node.input(0)) != DType::kFloat32) return;
    std::vector<int64_t> spatial;
    for (int64_t axis = 2; axis < rank; ++axis) spatial.push_back(axis);
    if (*axes != spatial) return;
    const ValueId input = twins_.Get(node.input(0));
    if (node.Int("keepdims", 1) != 0) {
      twins_.Convert(id, "ChannelsLastGlobalAveragePool", kTamisDomain, {input}, {});
      return;
    }
    const ValueId output = node.outputs[0];
    Shape pooled_shape(static_cast<size_t>(rank), Dim(1));
    pooled_shape.front() = ShapeOf(graph_, output)->front();
    pooled_shape.back() = ShapeOf(graph_, output)->back();
    const auto target = ReshapeTarget(pooled_shape, *ShapeOf(graph_, output));
    if (!target) return;
    const ValueId pooled =
        rewriter_.Append("ChannelsLastGlobalAveragePool", kTamisDomain, {input}, {},
                         graph_.value(output).name + "_pooled", Type::Tensor(DType::kFloat32, pooled_shape));
    const ValueId shape = rewriter_.AddConstant(graph_.value(output).name + "_shape", Tensor::Int64s(*target));
    rewriter_.Replace(id, MakeNode("Reshape", "", {pooled, shape}, {output}));
  }

  void ConvertBatchNorm(NodeId id) {
    const Node& node = graph_.node(id);
    if (!IsSpatialFloat(node) || node.Int("training_mode", 0) != 0 || node.outputs.size() != 1) return;
    const auto channels = (*ShapeOf(graph_, node.input(0)))[1].Constant();
    if (!channels) return;
    for (size_t i = 1; i < 5; ++i) {
      const Tensor* parameter = graph_.ConstantInput(node, i);
      if (parameter == nullptr || parameter->dtype() != DType::kFloat32 || parameter->dims() != Dims{*channels}) return;
    }
    Tensor scale(DType::kFloat32, {*channels}), shift(DType::kFloat32, {*channels});
    const auto parameter = [&](size_t i) { return graph_.ConstantInput(node, i)->Span<float>(); };
    for (size_t c = 0; c < static_cast<size_t>(*channels); ++c) {
      const double s = parameter(1)[c] / std::sqrt(parameter(4)[c] + static_cast<double>(node.Float("epsilon", 1e-5f)));
      scale.Data<float>()[c] = static_cast<float>(s);
      shift.Data<float>()[c] = static_cast<float>(parameter(2)[c] - parameter(3)[c] * s);
    }
    const std::string name = graph_.value(node.outputs[0]).name;
    const ValueId input = twins_.Get(node.input(0));
    const ValueId scaled = rewriter_.Append("Mul", "", {input, rewriter_.AddConstant(name + "_scale", scale)}, {},
                                            name + "_scaled", graph_.value(input).type);
    twins_.Convert(id, "Add", "", {scaled, rewriter_.AddConstant(name + "_shift", shift)}, {});
  }

  void MeetTranspose(NodeId id) {
    const Node& node = graph_.node(id);
    const std::vector<int64_t> perm = node.Ints("perm");
    const auto rank = static_cast<int64_t>(perm.size());
    if (rank < 3) return;
    if (perm == ToChannelsLast(rank) && twins_.Has(node.input(0))) {
      rewriter_.ReplaceUses(node.outputs[0], twins_.Get(node.input(0)));
    } else if (perm == FromChannelsLast(rank) && rank > 3) {
      twins_.Set(node.outputs[0], node.input(0));
    }
  }

  // One that puts the places of an image in a row, or rows into an image again, and leaves batch and channels alone. A
  // row of tokens, which transformers keep channels last, becomes an image without a change of order.
  void ConvertReshape(NodeId id) {
    const Node& node = graph_.node(id);
    const ValueId input = node.input(0), output = node.outputs[0];
    const Shape *from = ShapeOf(graph_, input), *to = ShapeOf(graph_, output);
    if (from == nullptr || to == nullptr || from->size() < 3 || to->size() < 3 || from->size() == to->size()) return;
    if ((*from)[0] != (*to)[0] || (*from)[1] != (*to)[1]) return;
    if (!twins_.Has(input)) {
      const Node* turned = Producer(graph_, input, "Transpose");
      if (turned == nullptr || turned->Ints("perm") != FromChannelsLast(3)) return;
      twins_.Set(input, turned->input(0));
    }
    const ValueId twin = twins_.Get(input);
    const auto target = ReshapeTarget(*ShapeOf(graph_, twin), Permuted(*to, ToChannelsLast(RankOf(graph_, output))));
    if (!target) return;
    const ValueId shape = rewriter_.AddConstant(graph_.value(output).name + "_shape", Tensor::Int64s(*target));
    twins_.Convert(id, "Reshape", "", {twin, shape}, {});
  }

  void ConvertElementwise(NodeId id) {
    const Node& node = graph_.node(id);
    const int64_t rank = RankOf(graph_, node.outputs[0]);
    if (rank < 3 || node.outputs.size() != 1) return;
    const bool quantizes = node.Is("QuantizeLinear") || node.Is("DequantizeLinear");
    if (quantizes && RankOf(graph_, node.input(1)) != 0) return;  // scales along an axis
    for (ValueId input : node.inputs) {                           // all or nothing, before anything is appended
      const int64_t own = RankOf(graph_, input);
      const bool constant = input != kNoValue && graph_.value(input).IsConstant();
      const bool single = own == 0 || (own == 1 && (*ShapeOf(graph_, input))[0] == Dim(1));
      if (input != kNoValue && own != rank && !single && !(constant && own < rank && own >= 0)) return;
    }
    const std::string op = node.op, domain = node.domain;
    const Attributes attributes = node.attributes;
    std::vector<ValueId> inputs;
    for (ValueId input : std::vector<ValueId>(node.inputs)) inputs.push_back(*twins_.GetBroadcast(input, rank));
    twins_.Convert(id, op, domain, inputs, attributes);
  }

  void ConvertConcat(NodeId id) {
    const Node& node = graph_.node(id);
    const int64_t rank = RankOf(graph_, node.outputs[0]);
    const bool ranked = std::all_of(node.inputs.begin(), node.inputs.end(),
                                    [&](ValueId input) { return RankOf(graph_, input) == rank; });
    if (rank < 3 || !ranked) return;
    const int64_t axis = ChannelsLastAxis(node.Int("axis", 0), rank);
    std::vector<ValueId> inputs;
    for (ValueId input : std::vector<ValueId>(node.inputs)) inputs.push_back(twins_.Get(input));
    twins_.Convert(id, "Concat", "", inputs, {{"axis", axis}});
  }

  void ConvertPad(NodeId id) {
    const Node& node = graph_.node(id);
    const int64_t rank = InputRank(node);
    const auto pads = KnownInts(graph_, node.input(1));
    if (!pads || node.input(3) != kNoValue || static_cast<int64_t>(pads->size()) != 2 * rank) return;
    std::vector<int64_t> moved;
    for (int64_t side : {int64_t{0}, rank}) {
      for (int64_t axis : ToChannelsLast(rank)) moved.push_back((*pads)[static_cast<size_t>(side + axis)]);
    }
    const Attributes attributes = node.attributes;
    const ValueId fill = node.input(2), input = node.input(0);
    const ValueId amounts = rewriter_.AddConstant(graph_.value(input).name + "_pads", Tensor::Int64s(moved));
    std::vector<ValueId> inputs = {twins_.Get(input), amounts};
    if (fill != kNoValue) inputs.push_back(fill);
    twins_.Convert(id, "Pad", "", inputs, attributes);
  }

  void ConvertSoftmax(NodeId id) {
    const Node& node = graph_.node(id);
    if (graph_.Opset() < 13 || InputRank(node) < 3) return;
    const int64_t axis = ChannelsLastAxis(node.Int("axis", -1), InputRank(node));
    twins_.Convert(id, node.op, "", {twins_.Get(node.input(0))}, {{"axis", axis}});
  }

  void ConvertSplit(NodeId id) {
    const Node& node = graph_.node(id);
    const int64_t rank = InputRank(node);
    const bool ranked = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
      return output == kNoValue || RankOf(graph_, output) == rank;
    });
    if (rank < 3 || !ranked) return;
    Attributes attributes = node.attributes;
    attributes["axis"] = ChannelsLastAxis(node.Int("axis", 0), rank);
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = twins_.Get(inputs[0]);
    twins_.Convert(id, "Split", "", std::move(inputs), std::move(attributes));
  }

  void ConvertSlice(NodeId id) {
    const Node& node = graph_.node(id);
    const int64_t rank = InputRank(node);
    if (rank < 3 || RankOf(graph_, node.outputs[0]) != rank) return;
    std::vector<ValueId> inputs = node.inputs;
    Attributes attributes = node.attributes;
    const bool by_attributes = graph_.Opset() < 10;
    std::optional<std::vector<int64_t>> axes, starts;
    if (by_attributes) {
      starts = node.Ints("starts");
      if (node.Has("axes")) axes = node.Ints("axes");
    } else {
      starts = KnownInts(graph_, node.input(1));
      if (node.input(3) != kNoValue && !(axes = KnownInts(graph_, node.input(3)))) return;
    }
    if (!axes) {
      if (!starts) return;
      axes.emplace();
      for (size_t i = 0; i < starts->size(); ++i) axes->push_back(static_cast<int64_t>(i));
    }
    for (int64_t& axis : *axes) axis = ChannelsLastAxis(axis, rank);
    if (by_attributes) {
      attributes["axes"] = *axes;
    } else {
      inputs.resize(std::max<size_t>(inputs.size(), 4), kNoValue);
      inputs[3] = rewriter_.AddConstant(graph_.value(node.outputs[0]).name + "_axes", Tensor::Int64s(*axes));
    }
    inputs[0] = twins_.Get(inputs[0]);
    twins_.Convert(id, "Slice", "", std::move(inputs), std::move(attributes));
  }

  Graph& graph_;
  std::vector<bool> near_;  // by node
  Rewriter rewriter_;
  ChannelsLastTwins twins_;
};

}  // namespace

Status MakeChannelsLast(Graph& graph, const PassOptions& options) {
  ChannelsLastMaker maker(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed) maker.Convert(id);
  }
  return {};
}

}  // namespace tamis
