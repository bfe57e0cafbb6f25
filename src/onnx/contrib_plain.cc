// Small operators of onnxruntime that say in one node what ONNX says in a few.
#include <array>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

std::string As(ContribNode& node, const std::string& x, onnx::TensorProto::DataType dtype) {
  return node.Emit("Cast", {x}, {{"to", int64_t{dtype}}});
}

// The axes from `axis` on count as one.
bool ExpandBiasSoftmax(ContribNode& node) {
  const int64_t axis = node.Int("axis", 1);
  const std::string sum = node.Emit("Add", {node.In(0), node.In(1)});
  const auto rank = node.Rank(node.In(0));
  if (axis == -1 || (rank && axis == static_cast<int64_t>(*rank) - 1)) {
    node.Give(0, node.Emit("Softmax", {sum}, {{"axis", int64_t{-1}}}));
    return true;
  }
  const std::string rows = node.Emit("Flatten", {sum}, {{"axis", axis}});
  const std::string shares = node.Emit("Softmax", {rows}, {{"axis", int64_t{-1}}});
  node.Give(0, node.Emit("Reshape", {shares, node.Emit("Shape", {sum})}));
  return true;
}

// Data, bias, residual?, ratio?, training?. Nothing is dropped outside training.
bool ExpandBiasDropout(ContribNode& node) {
  if (node.Wants(1) || node.Has(4)) return false;
  node.Give(0, node.AddIf(node.Emit("Add", {node.In(0), node.In(1)}), node.In(2)));
  return true;
}

// Distances of the rows of two matrices.
bool ExpandDistances(ContribNode& node) {
  const std::string metric = node.String("metric", "sqeuclidean");
  if (metric != "euclidean" && metric != "sqeuclidean") return false;
  const std::string apart = node.Emit("Sub", {node.Unsqueeze(node.In(0), {1}), node.Unsqueeze(node.In(1), {0})});
  const std::string squares = node.ReduceSum(node.Emit("Mul", {apart, apart}), {2}, false);
  node.Give(0, metric == "euclidean" ? node.Emit("Sqrt", {squares}) : squares);
  return true;
}

bool ExpandDims(ContribNode& node) {
  const std::string axes = node.Reshape(As(node, node.In(1), onnx::TensorProto::INT64), {1});
  node.Give(0, node.Emit("Unsqueeze", {node.In(0), axes}));
  return true;
}

bool ExpandIsAllFinite(ContribNode& node) {
  const bool infinite = node.Int("isnan_only", 0) == 0, undefined = node.Int("isinf_only", 0) == 0;
  if (!infinite && !undefined) return false;
  ContribNode::Names found;
  for (int i = 0; i < node.num_inputs(); ++i) {
    const std::string x = node.Reshape(node.In(i), {-1});
    std::string bad;
    if (infinite) bad = node.Emit("IsInf", {x});
    if (undefined) {
      const std::string nan = node.Emit("IsNaN", {x});
      bad = bad.empty() ? nan : node.Emit("Or", {bad, nan});
    }
    found.push_back(node.ReduceMax(As(node, bad, onnx::TensorProto::INT32), {0}, true));
  }
  std::string any = found.front();
  for (size_t i = 1; i < found.size(); ++i) any = node.Emit("Max", {any, found[i]});
  node.Give(0, node.Emit("Not", {As(node, node.Reshape(any, {}), onnx::TensorProto::BOOL)}));
  return true;
}

bool ExpandEmbedding(ContribNode& node) {
  node.Give(0, node.Emit("Gather", {node.In(0), node.In(1)}));
  return true;
}

// Windows of `size` along an axis, the elements of each in an axis of their own, the last.
bool ExpandUnfold(ContribNode& node) {
  const auto rank = node.Rank(node.In(0));
  const int64_t size = node.Int("size", 0), step = node.Int("step", 1);
  if (!rank || *rank < 1 || size < 1 || step < 1) return false;
  const auto axes = static_cast<int64_t>(*rank);
  int64_t axis = node.Int("dim", -1);
  if (axis < 0) axis += axes;
  if (axis < 0 || axis >= axes) return false;
  const std::string room = node.Emit("Sub", {node.SizeOf(node.In(0), axis), node.IntsConstant({size})});
  const std::string steps = node.Emit("Div", {room, node.IntsConstant({step})});
  const std::string count = node.Emit("Add", {steps, node.IntsConstant({1})});
  const std::string starts = node.Emit("Mul", {node.Places(count), node.IntsConstant({step})});
  std::vector<int64_t> within;
  for (int64_t i = 0; i < size; ++i) within.push_back(i);
  const std::string places = node.Emit("Add", {node.Unsqueeze(starts, {1}), node.IntsConstant(within)});
  const std::string windows = node.Emit("Gather", {node.In(0), places}, {{"axis", axis}});
  std::vector<int64_t> order;
  for (int64_t i = 0; i <= axes; ++i) {
    if (i != axis + 1) order.push_back(i);
  }
  order.push_back(axis + 1);
  node.Give(0, node.Transpose(windows, order));
  return true;
}

// Codes of images, channels last.
bool ExpandChannelsLastMaxPool(ContribNode& node) {
  if (node.Rank(node.In(0)).value_or(4) != 4) return false;
  const std::string pooled = node.EmitLike("MaxPool", {node.Transpose(node.In(0), {0, 3, 1, 2})});
  node.Give(0, node.Transpose(pooled, {0, 2, 3, 1}));
  return true;
}

// Pairs of real and imaginary part in the last axis.
bool ComplexProduct(ContribNode& node, bool conjugate) {
  const auto a = node.Split(node.In(0), -1, 2), b = node.Split(node.In(1), -1, 2);
  const auto product = [&](const std::string& x, const std::string& y) { return node.Emit("Mul", {x, y}); };
  const char* minus = conjugate ? "Add" : "Sub";
  const std::string real = node.Emit(minus, {product(a[0], b[0]), product(a[1], b[1])});
  const std::string across = product(a[1], b[0]), along = product(a[0], b[1]);
  const std::string imaginary = node.Emit(conjugate ? "Sub" : "Add", {across, along});
  node.Give(0, node.Emit("Concat", {real, imaginary}, {{"axis", int64_t{-1}}}));
  return true;
}

// (x - its zero point) * (y - its zero point), int32.
bool ExpandMulInteger(ContribNode& node) {
  const auto wide = [&](int i) {
    const std::string x = As(node, node.In(i), onnx::TensorProto::INT32);
    return node.Has(i + 1) ? node.Emit("Sub", {x, As(node, node.In(i + 1), onnx::TensorProto::INT32)}) : x;
  };
  const std::string a = wide(0), b = wide(2);
  node.Give(0, node.Emit("Mul", {a, b}));
  return true;
}

// alpha * x * sigmoid(alpha * x)
bool ExpandScaledSilu(ContribNode& node) {
  const std::string alpha = node.Has(1) ? node.In(1) : node.FloatConstant(node.Float("alpha", 1));
  const std::string scaled = node.Emit("Mul", {node.In(0), node.Emit("CastLike", {alpha, node.In(0)})});
  node.Give(0, node.Emit("Mul", {scaled, node.Emit("Sigmoid", {scaled})}));
  return true;
}

// x of heads side by side, each as wide as its scale is long; a gate for every element.
bool ExpandGatedNorm(ContribNode& node) {
  const onnx::TensorProto* scale = node.Initializer(node.In(1));
  const std::string activation = node.String("activation", "silu");
  const bool silu = activation == "silu" || activation == "swish";
  if (scale == nullptr || scale->dims_size() != 1 || (!silu && activation != "sigmoid")) return false;
  const auto rank = node.Rank(node.In(0));
  if (!rank || *rank < 1) return false;
  std::vector<int64_t> heads(*rank - 1, 0);
  heads.insert(heads.end(), {-1, scale->dims(0)});
  const std::string x = As(node, node.Reshape(node.In(0), heads), onnx::TensorProto::FLOAT);
  const std::string mean = node.ReduceMean(node.Emit("Mul", {x, x}), {static_cast<int64_t>(*rank)}, true);
  const std::string root =
      node.Emit("Sqrt", {node.Emit("Add", {mean, node.FloatConstant(node.Float("epsilon", 1e-5F))})});
  const std::string weight = As(node, node.In(1), onnx::TensorProto::FLOAT);
  const std::string normed = node.Emit("Mul", {node.Emit("Div", {x, root}), weight});
  const std::string gate = As(node, node.In(2), onnx::TensorProto::FLOAT);
  std::string factor = node.Emit("Sigmoid", {gate});
  if (silu) factor = node.Emit("Mul", {gate, factor});
  const std::string flat = node.Emit("Reshape", {normed, node.Emit("Shape", {gate})});
  node.Give(0, node.Emit("CastLike", {node.Emit("Mul", {flat, factor}), node.In(0)}));
  return true;
}

// x + y * gate, one gate a row.
bool ExpandGatedAdd(ContribNode& node) {
  if (node.Has(3)) return false;
  node.Give(0, node.Emit("Add", {node.In(0), node.Emit("Mul", {node.In(1), node.In(2)})}));
  return true;
}

}  // namespace

std::span<const ContribRule> PlainRules() {
  static constexpr auto kRules =
      std::to_array<ContribRule>({{"BiasDropout", ExpandBiasDropout},
                                  {"BiasSoftmax", ExpandBiasSoftmax},
                                  {"CDist", ExpandDistances},
                                  {"ComplexMul", [](ContribNode& node) { return ComplexProduct(node, false); }},
                                  {"ComplexMulConj", [](ContribNode& node) { return ComplexProduct(node, true); }},
                                  {"ExpandDims", ExpandDims},
                                  {"GatedAdd", ExpandGatedAdd},
                                  {"GatedRMSNorm", ExpandGatedNorm},
                                  {"IsAllFinite", ExpandIsAllFinite},
                                  {"MulInteger", ExpandMulInteger},
                                  {"NhwcMaxPool", ExpandChannelsLastMaxPool},
                                  {"ScaledSiLU", ExpandScaledSilu},
                                  {"TorchEmbedding", ExpandEmbedding},
                                  {"UnfoldTensor", ExpandUnfold}});
  return kRules;
}

}  // namespace tamis
