// move_pointwise: a pointwise convolution beside a resampling works on the side with fewer pixels. Both are linear, one
// over channels, the other over places with weights that sum to one, so they change places:
//
//   convolution of an enlarging Resize    Resize of the convolution
//   convolution of a Concat of channels,  the sum of the parts' convolutions, the enlarged ones in front of their
//   some parts of it enlarged             Resize: what decoders of segmentation networks and feature pyramids do
//   pool of averages of a convolution     convolution of the pool
//
// The layers are then others than those of the file: PassOptions::regroup_layers. Where the change would save less work
// than the longer rows cost to move, all stays.
#include <algorithm>
#include <cstring>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// Multiplications in the time that one element takes to be written and read again.
constexpr double kElementCost = 32;

using Attributes = std::map<std::string, Attribute>;

struct Pointwise {
  ValueId x = kNoValue;
  ValueId weight = kNoValue, bias = kNoValue;
  int64_t inputs = 0, outputs = 0;
  Attributes attributes;
};

class PointwiseMover {
 public:
  PointwiseMover(Graph& graph, const PassOptions& options)
      : graph_(graph), rewriter_(graph, options), options_(options) {}

  void Convert(NodeId id) {
    const Node& node = graph_.node(id);
    if (node.IsTamis("ChannelsLastConv")) return PassResize(id);
    if (node.IsTamis("ChannelsLastAveragePool") || node.IsTamis("ChannelsLastGlobalAveragePool")) PassPool(id);
  }

 private:
  std::optional<Pointwise> ReadPointwise(const Node& node) const {
    if (!IsPlainPointwise(graph_, node)) return std::nullopt;
    const Tensor& weight = *graph_.ConstantInput(node, 1);
    return Pointwise{node.input(0), node.input(1), node.input(2), weight.dim(-1), weight.dim(0), node.attributes};
  }

  // How many times as many pixels `large` has as `small`; 0 if that can't be told.
  double Ratio(ValueId small, ValueId large) const {
    const Shape *from = ShapeOf(graph_, small), *to = ShapeOf(graph_, large);
    if (from == nullptr || to == nullptr || from->size() != to->size() || from->front() != to->front()) return 0;
    double ratio = 1;
    for (size_t axis = 1; axis + 1 < from->size(); ++axis) {
      if ((*from)[axis] == (*to)[axis]) continue;
      const auto a = (*from)[axis].Constant(), b = (*to)[axis].Constant();
      if (!a || !b || *a < 1) return 0;
      ratio *= static_cast<double>(*b) / static_cast<double>(*a);
    }
    return ratio;
  }

  // Scales may pick channels anew and leave as many: there is no telling but by a constant 1.
  bool KeepsChannels(const Node& resize) const {
    if (resize.input(2) == kNoValue) return true;
    const Tensor* scales = graph_.ConstantInput(resize, 2);
    return scales != nullptr && scales->dtype() == DType::kFloat32 &&
           (scales->NumElements() == 0 || scales->Span<float>().back() == 1);
  }

  // The Resize that alone makes `value` larger along spatial axes, for this convolution's reading; else nullptr.
  const Node* Enlarging(ValueId value, double* ratio) const {
    const Node* resize = Producer(graph_, value, "Resize");
    if (resize == nullptr || graph_.Opset() < 11 || !rewriter_.SingleUse(value)) return nullptr;
    const Shape *from = ShapeOf(graph_, resize->input(0)), *to = ShapeOf(graph_, value);
    if (from == nullptr || to == nullptr || from->back() != to->back() || resize->Has("axes") ||
        resize->String("keep_aspect_ratio_policy", "stretch") != "stretch" ||
        resize->String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" ||
        (resize->input(3) != kNoValue && !KnownInts(graph_, resize->input(3))) || !KeepsChannels(*resize)) {
      return nullptr;
    }
    *ratio = Ratio(resize->input(0), value);
    return *ratio > 1 ? resize : nullptr;
  }

  // `longer`: how many elements more a pixel of the larger image is moved.
  static bool Pays(double ratio, int64_t inputs, int64_t outputs, int64_t longer) {
    const double saved = static_cast<double>(inputs * outputs) * (1 - 1 / ratio);
    return ratio > 1 && saved > kElementCost * static_cast<double>(longer);
  }

  // The convolution of `x` by columns `begin` to `begin + count` of the weight.
  ValueId Part(const Pointwise& conv, ValueId x, int64_t begin, int64_t count, bool bias, const std::string& name) {
    ValueId weight = conv.weight;
    if (count != conv.inputs) {
      const Tensor& whole = *graph_.value(weight).constant;
      Dims dims(whole.dims().begin(), whole.dims().end());
      dims.back() = count;
      Tensor columns(DType::kFloat32, dims);
      for (int64_t row = 0; row < conv.outputs; ++row) {
        std::copy_n(whole.Data<float>() + row * conv.inputs + begin, count, columns.Data<float>() + row * count);
      }
      weight = rewriter_.AddConstant(graph_.value(weight).name + "_part", std::move(columns));
    }
    Shape shape = *ShapeOf(graph_, x);
    shape.back() = Dim(conv.outputs);
    std::vector<ValueId> inputs = {x, weight};
    if (bias && conv.bias != kNoValue) inputs.push_back(conv.bias);
    return rewriter_.Append("ChannelsLastConv", kTamisDomain, std::move(inputs), conv.attributes, name,
                            Type::Tensor(DType::kFloat32, std::move(shape)));
  }

  // The Resize that makes `like`, for an image of so many channels in `x`.
  Node Resized(ValueId like, ValueId x, int64_t channels, ValueId output) {
    const Node& resize = *Producer(graph_, like, "Resize");
    std::vector<ValueId> inputs = resize.inputs;
    const Attributes attributes = resize.attributes;
    inputs[0] = x;
    if (inputs.size() > 3 && inputs[3] != kNoValue) {
      std::vector<int64_t> sizes = *KnownInts(graph_, inputs[3]);
      sizes.back() = channels;
      inputs[3] = rewriter_.AddConstant(graph_.value(output).name + "_sizes", Tensor::Int64s(sizes));
    }
    return MakeNode("Resize", "", std::move(inputs), {output}, attributes);
  }

  // One operand of a Concat, or all that the convolution reads.
  struct Piece {
    ValueId value = kNoValue;
    int64_t begin = 0, count = 0;
    bool enlarged = false;
  };

  void PassResize(NodeId id) {
    const auto conv = ReadPointwise(graph_.node(id));
    if (!conv) return;
    const ValueId output = graph_.node(id).outputs[0];
    const auto pieces = PiecesOf(*conv);
    if (!pieces || std::none_of(pieces->begin(), pieces->end(), [](const Piece& piece) { return piece.enlarged; })) {
      return;
    }
    options_.Matched(graph_, output, "pointwise convolution in front of Resize");
    const std::string name = graph_.value(output).name;
    const Type type = graph_.value(output).type;
    std::vector<ValueId> sum;
    std::vector<Piece> rest;
    for (const Piece& piece : *pieces) {
      if (!piece.enlarged) rest.push_back(piece);
    }
    const bool with_bias = rest.empty();
    for (const Piece& piece : *pieces) {
      if (!piece.enlarged) continue;
      const ValueId small = Producer(graph_, piece.value, "Resize")->input(0);
      const ValueId product = Part(*conv, small, piece.begin, piece.count, with_bias && sum.empty(), name + "_small");
      const ValueId large = pieces->size() == 1 ? output : graph_.AddValue(rewriter_.FreeName(name + "_resized"), type);
      Node node = Resized(piece.value, product, conv->outputs, large);
      if (pieces->size() == 1) return rewriter_.Replace(id, std::move(node));
      rewriter_.Append(std::move(node));
      sum.push_back(large);
    }
    if (!rest.empty()) sum.push_back(Rest(*conv, rest, name));
    while (sum.size() > 2) {
      const ValueId both = rewriter_.Append("Add", "", {sum[0], sum[1]}, {}, name + "_sum", type);
      sum.erase(sum.begin());
      sum[0] = both;
    }
    rewriter_.Replace(id, MakeNode("Add", "", sum, {output}));
  }

  // The pieces that stay, side by side, in one convolution; their columns are joined likewise.
  ValueId Rest(const Pointwise& conv, const std::vector<Piece>& rest, const std::string& name) {
    if (rest.size() == 1) return Part(conv, rest[0].value, rest[0].begin, rest[0].count, true, name + "_rest");
    const Tensor& whole = *graph_.value(conv.weight).constant;
    Pointwise joined = conv;
    joined.inputs = 0;
    std::vector<ValueId> values;
    for (const Piece& piece : rest) {
      joined.inputs += piece.count;
      values.push_back(piece.value);
    }
    Dims dims(whole.dims().begin(), whole.dims().end());
    dims.back() = joined.inputs;
    Tensor columns(DType::kFloat32, dims);
    float* to = columns.Data<float>();
    for (int64_t row = 0; row < conv.outputs; ++row) {
      for (const Piece& piece : rest) {
        to = std::copy_n(whole.Data<float>() + row * conv.inputs + piece.begin, piece.count, to);
      }
    }
    Shape shape = *ShapeOf(graph_, rest[0].value);
    shape.back() = Dim(joined.inputs);
    const ValueId x = rewriter_.Append("Concat", "", std::move(values), {{"axis", int64_t{-1}}}, name + "_rest",
                                       Type::Tensor(DType::kFloat32, std::move(shape)));
    joined.weight = rewriter_.AddConstant(graph_.value(conv.weight).name + "_rest", std::move(columns));
    return Part(joined, x, 0, joined.inputs, true, name + "_rest");
  }

  std::optional<std::vector<Piece>> PiecesOf(const Pointwise& conv) const {
    double ratio = 0;
    if (Enlarging(conv.x, &ratio) != nullptr) {
      return std::vector<Piece>{
          {conv.x, 0, conv.inputs, Pays(ratio, conv.inputs, conv.outputs, conv.outputs - conv.inputs)}};
    }
    const Node* concat = Producer(graph_, conv.x, "Concat");
    const int64_t rank = RankOf(graph_, conv.x);
    if (concat == nullptr || !rewriter_.SingleUse(conv.x)) return std::nullopt;
    if (const int64_t axis = concat->Int("axis", 0); axis != -1 && axis != rank - 1) return std::nullopt;
    std::vector<Piece> pieces;
    int64_t begin = 0;
    for (ValueId part : concat->inputs) {
      const Shape* shape = ShapeOf(graph_, part);
      const auto count = shape == nullptr ? std::nullopt : shape->back().Constant();
      // Groups of four stay whole, so that each part of a 2:4 weight is one.
      if (!count || *count % 4 != 0 || DTypeOf(graph_, part) != DType::kFloat32) return std::nullopt;
      const bool enlarged = Enlarging(part, &ratio) != nullptr &&
                            Pays(ratio, *count, conv.outputs, std::max(2 * conv.outputs - *count, conv.outputs));
      pieces.push_back({part, begin, *count, enlarged});
      begin += *count;
    }
    return begin == conv.inputs ? std::optional(pieces) : std::nullopt;
  }

  void PassPool(NodeId id) {
    const Node& pool = graph_.node(id);
    const ValueId input = pool.input(0), output = pool.outputs[0];
    const NodeId producer = graph_.value(input).producer;
    if (producer == kNoNode || !rewriter_.SingleUse(input)) return;
    const auto conv = ReadPointwise(graph_.node(producer));
    // Weights sum to one unless a window counts what isn't there.
    const bool whole =
        pool.Int("count_include_pad", 0) == 0 || (AllAre(pool.Ints("pads"), 0) && pool.Int("ceil_mode", 0) == 0);
    if (!conv || !whole) return;
    const double ratio = Ratio(output, input);
    if (!Pays(ratio, conv->inputs, conv->outputs, conv->inputs - conv->outputs)) return;
    options_.Matched(graph_, output, "pool in front of a pointwise convolution");
    const std::string op = pool.op, name = graph_.value(output).name;
    const Attributes attributes = pool.attributes;
    Shape shape = *ShapeOf(graph_, output);
    shape.back() = Dim(conv->inputs);
    const ValueId pooled = rewriter_.Append(op, kTamisDomain, {conv->x}, attributes, name + "_pooled",
                                            Type::Tensor(DType::kFloat32, std::move(shape)));
    std::vector<ValueId> inputs = {pooled, conv->weight};
    if (conv->bias != kNoValue) inputs.push_back(conv->bias);
    rewriter_.Replace(id, MakeNode("ChannelsLastConv", kTamisDomain, std::move(inputs), {output}, conv->attributes));
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
};

}  // namespace

Status MovePointwise(Graph& graph, const PassOptions& options) {
  if (!options.regroup_layers) return {};
  PointwiseMover mover(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed) mover.Convert(id);
  }
  return {};
}

}  // namespace tamis
