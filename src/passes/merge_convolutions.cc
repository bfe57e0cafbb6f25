// merge_convolutions: the sum of two convolutions of the same value is one convolution, whose weight is the sum of
// theirs, the smaller kernel put at its place in the larger; so is the sum of a convolution and a batch normalisation
// of what it reads. Networks that are trained in branches and run as one (RepVGG, MobileOne, FastViT) are often
// exported with their branches.
//
// Weights that somebody has pruned stay apart: a sum would fill their zeros.
#include <algorithm>
#include <cmath>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// One operand of the sum: y = weight * x + bias.
struct Branch {
  NodeId node = kNoNode;
  ValueId x = kNoValue;
  int64_t group = 1;
  std::vector<int64_t> strides, pads;  // pads: begins, then ends
  Tensor weight;                       // [O, I / group, kernel...]
  std::vector<double> bias;            // O numbers
};

int64_t Taps(const Tensor& weight) {
  return weight.NumElements() / std::max<int64_t>(weight.dim(0) * weight.dim(1), 1);
}

// Whether zeros are so many that they are there on purpose.
bool IsPruned(const Tensor& weight) {
  const auto values = weight.Span<float>();
  return std::count(values.begin(), values.end(), 0.0f) >= static_cast<int64_t>(values.size()) / 4 && !values.empty();
}

std::optional<Branch> ReadConvolution(const Rewriter& rewriter, NodeId id) {
  const Graph& graph = rewriter.graph();
  const Node& node = graph.node(id);
  const Tensor* weight = graph.ConstantInput(node, 1);
  if (weight == nullptr || weight->dtype() != DType::kFloat32 || weight->rank() < 3 || IsPruned(*weight)) return {};
  const auto spatial = static_cast<size_t>(weight->rank() - 2);
  Branch branch{id, node.input(0), node.Int("group", 1), {}, {}, *weight, {}};
  branch.strides = node.Ints("strides", std::vector<int64_t>(spatial, 1));
  branch.pads = node.Ints("pads", std::vector<int64_t>(2 * spatial, 0));
  const std::vector<int64_t> dilations = node.Ints("dilations", std::vector<int64_t>(spatial, 1));
  if (node.String("auto_pad", "NOTSET") != "NOTSET" || branch.strides.size() != spatial ||
      branch.pads.size() != 2 * spatial || dilations.size() != spatial) {
    return {};
  }
  for (size_t i = 0; i < spatial; ++i) {
    if (dilations[i] != 1 && weight->dim(static_cast<int64_t>(i) + 2) != 1) return {};
  }
  branch.bias.assign(static_cast<size_t>(weight->dim(0)), 0.0);
  if (node.input(2) != kNoValue) {
    const Tensor* bias = graph.ConstantInput(node, 2);
    if (bias == nullptr || bias->dtype() != DType::kFloat32 || bias->dims() != Dims{weight->dim(0)}) return {};
    const auto values = bias->Span<float>();
    branch.bias.assign(values.begin(), values.end());
  }
  return branch;
}

// A batch normalisation as the pointwise convolution that it is beside one of `group` groups.
std::optional<Branch> ReadNorm(const Graph& graph, NodeId id, int64_t group) {
  const Node& node = graph.node(id);
  const Shape* shape = ShapeOf(graph, node.input(0));
  if (node.Int("training_mode", 0) != 0 || shape == nullptr || shape->size() < 3) return {};
  const auto channels = (*shape)[1].Constant();
  if (!channels || *channels % group != 0) return {};
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) return {};
  }
  for (size_t i = 1; i < 5; ++i) {
    const Tensor* parameter = graph.ConstantInput(node, i);
    if (parameter == nullptr || parameter->dtype() != DType::kFloat32 || parameter->dims() != Dims{*channels}) {
      return {};
    }
  }
  const int64_t inputs = *channels / group;
  Dims dims(shape->size(), 1);
  dims[0] = *channels;
  dims[1] = inputs;
  const size_t spatial = dims.size() - 2;
  Branch branch{id, node.input(0), group, {}, {}, Tensor(DType::kFloat32, dims), {}};
  branch.strides.assign(spatial, 1);
  branch.pads.assign(2 * spatial, 0);
  auto* weight = branch.weight.Data<float>();
  std::fill_n(weight, branch.weight.NumElements(), 0.0f);
  const auto parameter = [&](size_t i) { return graph.ConstantInput(node, i)->Span<float>(); };
  const double epsilon = node.Float("epsilon", 1e-5f);
  for (int64_t c = 0; c < *channels; ++c) {
    const auto at = static_cast<size_t>(c);
    const double scale = parameter(1)[at] / std::sqrt(parameter(4)[at] + epsilon);
    weight[c * inputs + c % inputs] = static_cast<float>(scale);
    branch.bias.push_back(parameter(2)[at] - parameter(3)[at] * scale);
  }
  return branch;
}

// The small kernel's place in the large one, an offset for each axis; nullopt if it doesn't lie inside.
std::optional<std::vector<int64_t>> PlaceOf(const Branch& small, const Branch& large) {
  const size_t spatial = large.strides.size();
  if (small.x != large.x || small.group != large.group || small.strides != large.strides ||
      small.weight.rank() != large.weight.rank() || small.weight.dim(0) != large.weight.dim(0) ||
      small.weight.dim(1) != large.weight.dim(1)) {
    return {};
  }
  std::vector<int64_t> place;
  for (size_t i = 0; i < spatial; ++i) {
    const auto axis = static_cast<int64_t>(i) + 2;
    place.push_back(large.pads[i] - small.pads[i]);
    if (place.back() < 0 || place.back() + small.weight.dim(axis) > large.weight.dim(axis)) return {};
  }
  return place;
}

Tensor Sum(const Branch& small, const Branch& large, const std::vector<int64_t>& place) {
  Tensor sum = large.weight.Clone();
  const int64_t taps = Taps(small.weight), large_taps = Taps(large.weight);
  for (int64_t tap = 0; tap < taps; ++tap) {
    int64_t rest = tap, at = 0, stride = 1;
    for (size_t i = place.size(); i-- > 0;) {
      const auto axis = static_cast<int64_t>(i) + 2;
      at += (rest % small.weight.dim(axis) + place[i]) * stride;
      rest /= small.weight.dim(axis);
      stride *= large.weight.dim(axis);
    }
    for (int64_t filter = 0; filter < sum.dim(0) * sum.dim(1); ++filter) {
      sum.Data<float>()[filter * large_taps + at] += small.weight.Data<float>()[filter * taps + tap];
    }
  }
  return sum;
}

class ConvolutionMerger {
 public:
  ConvolutionMerger(Graph& graph, const PassOptions& options)
      : graph_(graph), rewriter_(graph, options), options_(options) {}

  void Convert(NodeId id) {
    const Node& node = graph_.node(id);
    if (!node.Is("Add") || !SameShape(graph_, node.input(0), node.input(1))) return;
    const auto maker = [&](size_t i) {
      const ValueId value = node.input(i);
      return rewriter_.SingleUse(value) ? graph_.value(value).producer : kNoNode;
    };
    const NodeId nodes[] = {maker(0), maker(1)};
    if (nodes[0] == kNoNode || nodes[1] == kNoNode) return;
    std::optional<Branch> branches[2];
    for (size_t i = 0; i < 2; ++i) {
      if (graph_.node(nodes[i]).Is("Conv")) branches[i] = ReadConvolution(rewriter_, nodes[i]);
    }
    for (size_t i = 0; i < 2; ++i) {
      if (graph_.node(nodes[i]).Is("BatchNormalization") && branches[1 - i]) {
        branches[i] = ReadNorm(graph_, nodes[i], branches[1 - i]->group);
      }
    }
    if (!branches[0] || !branches[1]) return;
    const size_t larger = Taps(branches[0]->weight) >= Taps(branches[1]->weight) ? 0 : 1;
    for (const size_t large : {larger, 1 - larger}) {  // of equal kernels either may be the one that holds the other
      if (!graph_.node(nodes[large]).Is("Conv")) continue;
      if (const auto place = PlaceOf(*branches[1 - large], *branches[large])) {
        return Merge(id, *branches[1 - large], *branches[large], *place);
      }
    }
  }

 private:
  void Merge(NodeId id, const Branch& small, const Branch& large, const std::vector<int64_t>& place) {
    const ValueId output = graph_.node(id).outputs[0];
    options_.Matched(graph_, output, graph_.node(small.node).op + " into Conv");
    std::vector<ValueId> inputs = graph_.node(large.node).inputs;
    const auto attributes = graph_.node(large.node).attributes;
    const std::string name = graph_.node(large.node).name;
    Tensor bias(DType::kFloat32, {large.weight.dim(0)});
    for (size_t i = 0; i < large.bias.size(); ++i) {
      bias.Data<float>()[i] = static_cast<float>(small.bias[i] + large.bias[i]);
    }
    const std::string bias_name = graph_.value(inputs[1]).name + "_bias";
    inputs.resize(3, kNoValue);
    inputs[1] = rewriter_.ChangedConstant(inputs[1], Sum(small, large, place));
    inputs[2] = inputs[2] == kNoValue ? rewriter_.AddConstant(bias_name, std::move(bias))
                                      : rewriter_.ChangedConstant(inputs[2], std::move(bias));
    rewriter_.Replace(id, MakeNode("Conv", "", std::move(inputs), {output}, attributes, name));
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
};

}  // namespace

Status MergeConvolutions(Graph& graph, const PassOptions& options) {
  ConvolutionMerger merger(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed) merger.Convert(id);
  }
  return {};
}

}  // namespace tamis
