#include "src/ops/op_chain.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "src/ops/op_tamis.h"

namespace tamis {
namespace {

constexpr std::array<std::string_view, 27> kNames = {
    "Add",         "Sub",       "Mul",     "Div",      "Min",       "Max",  "Affine", "Relu", "Gelu",
    "GeluTanh",    "Tanh",      "Sigmoid", "Clip",     "HardSwish", "Erf",  "Exp",    "Sqrt", "Neg",
    "HardSigmoid", "LeakyRelu", "Elu",     "Softplus", "Softsign",  "Mish", "Swish",  "Abs",  "Reciprocal"};

const std::vector<int64_t>* IntsOf(const Node& node, const char* name) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? nullptr : std::get_if<std::vector<int64_t>>(&found->second);
}

// Like std::max and std::min, but a NaN stays a NaN.
double Larger(double a, double b) {
  return std::isnan(a) || a > b ? a : b;
}
double Smaller(double a, double b) {
  return std::isnan(a) || a < b ? a : b;
}

}  // namespace

std::string_view Name(ChainOp op) {
  return kNames[static_cast<size_t>(op)];
}

std::optional<ChainOp> ChainOpFromName(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  return found == kNames.end() ? std::nullopt : std::optional(static_cast<ChainOp>(found - kNames.begin()));
}

Result<std::vector<ChainStep>> ReadChain(const Node& node) {
  const auto found = node.attributes.find("steps"), numbers = node.attributes.find("parameters");
  const auto* names = found == node.attributes.end() ? nullptr : std::get_if<std::vector<std::string>>(&found->second);
  const auto* parameters =
      numbers == node.attributes.end() ? nullptr : std::get_if<std::vector<float>>(&numbers->second);
  const auto* operands = IntsOf(node, "operands");
  if (names == nullptr || operands == nullptr || parameters == nullptr) {
    return UserError("attributes 'steps' (strings), 'operands' (integers) and 'parameters' (floats) must be given");
  }
  if (names->empty() || names->size() > kMaxChainSteps) {
    return UserError("{} steps; 1 to {} are supported", names->size(), kMaxChainSteps);
  }
  if (operands->size() != 2 * names->size() || parameters->size() != 3 * names->size()) {
    return UserError("{} steps need {} operands and {} parameters, not {} and {}", names->size(), 2 * names->size(),
                     3 * names->size(), operands->size(), parameters->size());
  }
  std::vector<ChainStep> steps;
  for (size_t i = 0; i < names->size(); ++i) {
    const auto op = ChainOpFromName((*names)[i]);
    if (!op) return UserError("step {} is '{}', which is not known", i, (*names)[i]);
    const float* given = parameters->data() + 3 * i;
    const ChainStep step{*op, (*operands)[2 * i], (*operands)[2 * i + 1], given[0], given[1], given[2]};
    const auto defined = static_cast<int64_t>(node.inputs.size() + i);
    if (step.left < 0 || step.left >= defined || (IsBinary(*op) && (step.right < 0 || step.right >= defined))) {
      return UserError("step {} reads values {} and {} of the {} there are", i, step.left, step.right, defined);
    }
    steps.push_back(step);
  }
  return steps;
}

void WriteChain(const std::vector<ChainStep>& steps, Node* node) {
  std::vector<std::string> names;
  std::vector<int64_t> operands;
  std::vector<float> parameters;
  for (const ChainStep& step : steps) {
    names.emplace_back(Name(step.op));
    operands.insert(operands.end(), {step.left, step.right});
    parameters.insert(parameters.end(), {step.alpha, step.beta, step.gamma});
  }
  node->attributes["steps"] = std::move(names);
  node->attributes["operands"] = std::move(operands);
  node->attributes["parameters"] = std::move(parameters);
}

double ApplyStep(const ChainStep& step, double x, double right) {
  const auto alpha = static_cast<double>(step.alpha), beta = static_cast<double>(step.beta);
  const auto activation = [&](Activation kind) {
    Epilogue epilogue;
    epilogue.activation = kind;
    epilogue.clip_min = epilogue.alpha = step.alpha;
    epilogue.clip_max = epilogue.beta = step.beta;
    return Apply(epilogue, x);
  };
  switch (step.op) {
    case ChainOp::kAdd:
      return x + right;
    case ChainOp::kSub:
      return x - right;
    case ChainOp::kMul:
      return x * right;
    case ChainOp::kDiv:
      return x / right;
    case ChainOp::kMin:
      return Smaller(x, right);
    case ChainOp::kMax:
      return Larger(x, right);
    case ChainOp::kAffine:
      return alpha * x + beta;
    case ChainOp::kRelu:
      return activation(Activation::kRelu);
    case ChainOp::kGelu:
      return activation(Activation::kGelu);
    case ChainOp::kGeluTanh:
      return activation(Activation::kGeluTanh);
    case ChainOp::kTanh:
      return std::tanh(x);
    case ChainOp::kSigmoid:
      return activation(Activation::kSigmoid);
    case ChainOp::kClip:
      return activation(Activation::kClip);
    case ChainOp::kHardSwish:
      return activation(Activation::kHardSwish);
    case ChainOp::kErf:
      return std::erf(x);
    case ChainOp::kExp:
      return std::exp(x);
    case ChainOp::kSqrt:
      return std::sqrt(x);
    case ChainOp::kNeg:
      return -x;
    case ChainOp::kHardSigmoid:
      return activation(Activation::kHardSigmoid);
    case ChainOp::kLeakyRelu:
      return activation(Activation::kLeakyRelu);
    case ChainOp::kElu:
      return x < 0 ? alpha * std::expm1(x * static_cast<double>(step.gamma)) : beta * x;
    case ChainOp::kSoftplus:
      return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    case ChainOp::kSoftsign:
      return x / (1 + std::abs(x));
    case ChainOp::kMish:
      return activation(Activation::kMish);
    case ChainOp::kSwish:
      return activation(Activation::kSwish);
    case ChainOp::kAbs:
      return std::abs(x);
    case ChainOp::kReciprocal:
      return 1 / x;
  }
  return x;
}

}  // namespace tamis
