// Activations, products and convolutions that onnxruntime's optimizer made one of several.
#include <array>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

std::string Gelu(ContribNode& node, const std::string& x, bool by_tanh = false) {
  return node.Emit("Gelu", {x}, {{"approximate", std::string(by_tanh ? "tanh" : "none")}});
}

bool ExpandGelu(ContribNode& node) {
  node.Give(0, Gelu(node, node.In(0)));
  return true;
}

bool ExpandBiasGelu(ContribNode& node) {
  node.Give(0, Gelu(node, node.AddIf(node.In(0), node.In(1))));
  return true;
}

bool ExpandFastGelu(ContribNode& node) {
  node.Give(0, Gelu(node, node.AddIf(node.In(0), node.In(1)), true));
  return true;
}

bool ExpandGemmFastGelu(ContribNode& node) {
  const std::string product = node.Emit("MatMul", {node.In(0), node.In(1)});
  node.Give(0, Gelu(node, node.AddIf(product, node.In(2)), true));
  return true;
}

bool ExpandQuickGelu(ContribNode& node) {
  const std::string alpha = node.Emit("CastLike", {node.FloatConstant(node.Float("alpha", 1.702F)), node.In(0)});
  const std::string gate = node.Emit("Sigmoid", {node.Emit("Mul", {node.In(0), alpha})});
  node.Give(0, node.Emit("Mul", {node.In(0), gate}));
  return true;
}

bool ExpandBiasAdd(ContribNode& node) {
  if (node.num_inputs() != 3) return false;
  node.Give(0, node.Emit("Add", {node.Emit("Add", {node.In(0), node.In(1)}), node.In(2)}));
  return true;
}

bool ExpandBiasSplitGelu(ContribNode& node) {
  const auto halves = node.Split(node.Emit("Add", {node.In(0), node.In(1)}), -1, 2);
  node.Give(0, node.Emit("Mul", {halves[0], Gelu(node, halves[1])}));
  return true;
}

struct Parameters {
  std::vector<float> values;  // alpha, beta, gamma, or minimum and maximum
  float Or(size_t i, float otherwise) const { return i < values.size() ? values[i] : otherwise; }
};

// Nullopt: an activation of another name.
std::optional<std::string> Activate(ContribNode& node, const std::string& op, const std::string& x,
                                    const Parameters& parameters) {
  if (op.empty()) return x;
  if (op == "Relu" || op == "Sigmoid" || op == "Tanh") return node.Emit(op, {x});
  if (op == "LeakyRelu") return node.Emit(op, {x}, {{"alpha", parameters.Or(0, 0.01F)}});
  if (op == "HardSigmoid") {
    return node.Emit(op, {x}, {{"alpha", parameters.Or(0, 0.2F)}, {"beta", parameters.Or(1, 0.5F)}});
  }
  if (op == "Clip" && parameters.values.size() >= 2) {
    const auto bound = [&](size_t i) { return node.Emit("CastLike", {node.FloatConstant(parameters.values[i]), x}); };
    const std::string low = bound(0), high = bound(1);
    return node.Emit("Min", {node.Emit("Max", {x, low}), high});
  }
  return std::nullopt;
}

bool IsActivation(const std::string& op, const Parameters& parameters) {
  static constexpr std::array<std::string_view, 6> kKnown = {"", "Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid"};
  for (const std::string_view known : kKnown) {
    if (op == known) return true;
  }
  return op == "Clip" && parameters.values.size() >= 2;
}

// x, weight, bias?, z?: act(conv + z).
bool ExpandConv(ContribNode& node) {
  const std::string activation = node.String("activation", "");
  const Parameters parameters = {node.Floats("activation_params")};
  if (!IsActivation(activation, parameters)) return false;
  const std::string conv =
      node.EmitLike("Conv", {node.In(0), node.In(1), node.In(2)}, {"activation", "activation_params"});
  node.Give(0, *Activate(node, activation, node.AddIf(conv, node.In(3)), parameters));
  return true;
}

// Images of two axes, channels last; the weight [outputs, height, width, channels].
bool ExpandNhwcConv(ContribNode& node) {
  const auto rank = node.Rank(node.In(1));
  if (rank && *rank != 4) return false;
  const std::string activation = node.String("activation", "");
  const Parameters parameters = {node.Floats("activation_params")};
  if (!IsActivation(activation, parameters) || node.Has(3)) return false;
  const std::vector<int64_t> first = {0, 3, 1, 2};
  const std::string x = node.Transpose(node.In(0), first), weight = node.Transpose(node.In(1), first);
  const std::string conv = node.EmitLike("Conv", {x, weight, node.In(2)}, {"activation", "activation_params"});
  node.Give(0, node.Transpose(*Activate(node, activation, conv, parameters), {0, 2, 3, 1}));
  return true;
}

bool ExpandGemm(ContribNode& node) {
  const std::string activation = node.String("activation", "");
  Parameters parameters;
  for (const char* name : {"activation_alpha", "activation_beta", "activation_gamma"}) {
    if (node.HasAttribute(name)) parameters.values.push_back(node.Float(name, 0));
  }
  if (!IsActivation(activation, parameters)) return false;
  const std::string y = node.EmitLike("Gemm", {node.In(0), node.In(1), node.In(2)},
                                      {"activation", "activation_alpha", "activation_beta", "activation_gamma"});
  node.Give(0, *Activate(node, activation, y, parameters));
  return true;
}

// alpha * a' . b', each with its last two axes exchanged where the attribute says so.
bool ExpandMatMul(ContribNode& node) {
  if (node.Int("transBatchA", 0) != 0 || node.Int("transBatchB", 0) != 0) return false;
  const bool trans_a = node.Int("transA", 0) != 0, trans_b = node.Int("transB", 0) != 0;
  std::string y;
  if (trans_a || trans_b) {
    const std::string equation = std::string(trans_a ? "...ki" : "...ik") + "," + (trans_b ? "...jk" : "...kj");
    y = node.Emit("Einsum", {node.In(0), node.In(1)}, {{"equation", equation + "->...ij"}});
  } else {
    y = node.Emit("MatMul", {node.In(0), node.In(1)});
  }
  const float alpha = node.Float("alpha", 1);
  if (alpha != 1) y = node.Emit("Mul", {y, node.Emit("CastLike", {node.FloatConstant(alpha), node.In(0)})});
  node.Give(0, y);
  return true;
}

// What became an operator of ONNX with the same attributes and operands.
template <const char* op>
bool ExpandSame(ContribNode& node) {
  ContribNode::Names inputs(node.proto().input().begin(), node.proto().input().end());
  node.EmitLike(op, inputs);
  node.GiveAll();
  return true;
}
constexpr char kGatherND[] = "GatherND", kPad[] = "Pad", kRange[] = "Range", kTrilu[] = "Trilu", kUnique[] = "Unique";

}  // namespace

std::span<const ContribRule> FusedRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({
      {"BiasAdd", ExpandBiasAdd},
      {"BiasGelu", ExpandBiasGelu},
      {"BiasSplitGelu", ExpandBiasSplitGelu},
      {"FastGelu", ExpandFastGelu},
      {"FusedConv", ExpandConv},
      {"FusedGemm", ExpandGemm},
      {"FusedMatMul", ExpandMatMul},
      {"GatherND", ExpandSame<kGatherND>},
      {"Gelu", ExpandGelu},
      {"GemmFastGelu", ExpandGemmFastGelu},
      {"NhwcConv", ExpandNhwcConv},
      {"NhwcFusedConv", ExpandNhwcConv},
      {"Pad", ExpandSame<kPad>},
      {"QuickGelu", ExpandQuickGelu},
      {"Range", ExpandSame<kRange>},
      {"TransposeMatMul", ExpandMatMul},
      {"Trilu", ExpandSame<kTrilu>},
      {"Unique", ExpandSame<kUnique>},
  });
  return kRules;
}

}  // namespace tamis
