#include "src/kernels/elementwise/elementwise.h"

#include <cmath>
#include <limits>
#include <optional>

#include "src/kernels/operand_check.h"
#include "src/kernels/row_range_kernel.h"

namespace tamis {
namespace {

constexpr int64_t kGrain = 131072;  // elements that are worth a thread

std::optional<BinaryKind> BinaryKindOf(std::string_view op) {
  constexpr std::string_view kNames[] = {"Add", "Sub", "Mul", "Div", "Min", "Max", "PRelu", "SwiGLU"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (op == kNames[i]) return static_cast<BinaryKind>(i);
  }
  return std::nullopt;
}

std::optional<UnaryKind> UnaryKindOf(const Node& node) {
  if (node.op == "Gelu") {
    return node.String("approximate", "none") == "tanh" ? UnaryKind::kGeluTanh : UnaryKind::kGelu;
  }
  constexpr std::pair<std::string_view, UnaryKind> kKinds[] = {{"Relu", UnaryKind::kRelu},
                                                               {"Tanh", UnaryKind::kTanh},
                                                               {"Sigmoid", UnaryKind::kSigmoid},
                                                               {"Clip", UnaryKind::kClip},
                                                               {"HardSwish", UnaryKind::kHardSwish},
                                                               {"Erf", UnaryKind::kErf},
                                                               {"Exp", UnaryKind::kExp},
                                                               {"Sqrt", UnaryKind::kSqrt},
                                                               {"Neg", UnaryKind::kNeg},
                                                               {"HardSigmoid", UnaryKind::kHardSigmoid},
                                                               {"LeakyRelu", UnaryKind::kLeakyRelu},
                                                               {"Elu", UnaryKind::kElu},
                                                               {"Selu", UnaryKind::kElu},
                                                               {"Celu", UnaryKind::kElu},
                                                               {"Softplus", UnaryKind::kSoftplus},
                                                               {"Softsign", UnaryKind::kSoftsign},
                                                               {"Mish", UnaryKind::kMish},
                                                               {"ThresholdedRelu", UnaryKind::kThresholdedRelu},
                                                               {"Swish", UnaryKind::kSwish},
                                                               {"Abs", UnaryKind::kAbs},
                                                               {"Reciprocal", UnaryKind::kReciprocal},
                                                               {"Log", UnaryKind::kLog},
                                                               {"Sin", UnaryKind::kSin},
                                                               {"Cos", UnaryKind::kCos},
                                                               {"Atan", UnaryKind::kAtan},
                                                               {"Floor", UnaryKind::kFloor},
                                                               {"Ceil", UnaryKind::kCeil},
                                                               {"Round", UnaryKind::kRound},
                                                               {"Sign", UnaryKind::kSign},
                                                               {"Shrink", UnaryKind::kShrink}};
  for (const auto& [name, kind] : kKinds) {
    if (node.op == name) return kind;
  }
  return std::nullopt;
}

Status CheckBinary(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (!BinaryKindOf(problem.node->op)) return UserError("{} is not one of its operators", problem.node->op);
  if (problem.inputs.size() != 2) return UserError("{} operands; two are supported", problem.inputs.size());
  const auto loops = MakeBroadcastLoops(problem, 2);
  return loops.ok() ? Status() : loops.status();
}

}  // namespace

Status SupportsBinary(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckBinary(problem));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(1), "input 1"));
  return CheckF32OrBf16(problem.outputs[0], "output 0");
}

Result<std::unique_ptr<PreparedKernel>> PrepareBinary(const Problem& problem, BinaryBody body) {
  BinaryArgs args;
  args.kind = *BinaryKindOf(problem.node->op);
  TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, 2));
  for (size_t i = 0; i < 2; ++i) args.bf16[i] = IsBf16(problem.input(i));
  args.bf16_output = IsBf16(problem.outputs[0]);
  args.alpha = problem.node->Float("alpha", 1);
  return std::unique_ptr<PreparedKernel>(std::make_unique<RowRangeKernel<BinaryArgs>>(
      args, body, args.loops.count, kGrain, problem.threads, ElementsOfRow(problem)));
}

Status SupportsVariadic(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.inputs.empty()) return UserError("no operands");
  if (problem.outputs[0].dtype != DType::kFloat32) return UserError("the result is {}", Name(problem.outputs[0].dtype));
  for (size_t i = 0; i < problem.inputs.size(); ++i) {
    if (problem.input(i).dtype != DType::kFloat32) {
      return UserError("input {} is {}; float32 is supported", i, Name(problem.input(i).dtype));
    }
    const Dims* dims[] = {&problem.input(i).dims};
    TAMIS_RETURN_IF_ERROR(MakeBroadcastLoops(problem.outputs[0].dims, dims).status());
  }
  return {};
}

namespace {

class Variadic : public RangeKernel<VariadicArgs> {
 public:
  Variadic(const VariadicArgs& args, VariadicBody body, int64_t count, int threads, std::vector<BroadcastLoops> loops)
      : RangeKernel(args, body, count, kGrain / 2, threads), loops_(std::move(loops)) {}

 private:
  std::vector<BroadcastLoops> loops_;
};

}  // namespace

Result<std::unique_ptr<PreparedKernel>> PrepareVariadic(const Problem& problem, VariadicBody body) {
  const std::string& op = problem.node->op;
  std::vector<BroadcastLoops> loops;
  for (const Operand& operand : problem.inputs) {
    const Dims* dims[] = {&operand.dims};
    TAMIS_ASSIGN_OR_RETURN(loops.emplace_back(), MakeBroadcastLoops(problem.outputs[0].dims, dims));
  }
  VariadicArgs args;
  args.kind = op == "Max" ? BinaryKind::kMax : op == "Min" ? BinaryKind::kMin : BinaryKind::kAdd;
  args.operands = static_cast<int64_t>(loops.size());
  args.loops = loops.data();
  args.factor = op == "Mean" ? 1.0f / static_cast<float>(loops.size()) : 1.0f;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<Variadic>(args, body, Elements(problem.outputs[0]), problem.threads, std::move(loops)));
}

Status SupportsUnary(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  if (!UnaryKindOf(*problem.node)) return UserError("{} is not one of its operators", problem.node->op);
  for (size_t i = 1; i < problem.inputs.size(); ++i) {  // the bounds of Clip
    const Operand& bound = problem.input(i);
    if (!bound.Present()) continue;
    if (bound.dtype != problem.input(0).dtype || Elements(bound) != 1) {
      return UserError("input {} must be one {}", i, Name(problem.input(0).dtype));
    }
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PrepareUnary(const Problem& problem, UnaryBody body) {
  const Node& node = *problem.node;
  UnaryArgs args;
  args.kind = *UnaryKindOf(node);
  if (args.kind == UnaryKind::kClip) {
    args.alpha = node.Float("min", -std::numeric_limits<float>::infinity());
    args.beta = node.Float("max", std::numeric_limits<float>::infinity());
    args.bounds = static_cast<int>(std::min<size_t>(problem.inputs.size(), 3)) - 1;
  } else if (args.kind == UnaryKind::kHardSigmoid) {
    args.alpha = node.Float("alpha", 0.2f);
    args.beta = node.Float("beta", 0.5f);
  } else if (args.kind == UnaryKind::kLeakyRelu) {
    args.alpha = node.Float("alpha", 0.01f);
  } else if (args.kind == UnaryKind::kElu) {
    args.alpha = node.Float("alpha", 1);
    args.beta = args.gamma = 1;
    if (node.op == "Selu") {
      args.beta = node.Float("gamma", 1.05070102214813232421875f);
      args.alpha = args.beta * node.Float("alpha", 1.67326319217681884765625f);
    } else if (node.op == "Celu") {
      args.gamma = 1 / args.alpha;
    }
  } else if (args.kind == UnaryKind::kThresholdedRelu) {
    args.alpha = std::nextafter(node.Float("alpha", 1), std::numeric_limits<float>::infinity());  // it gives 0 itself
  } else if (args.kind == UnaryKind::kSwish) {
    args.alpha = node.Float("alpha", 1);
  } else if (args.kind == UnaryKind::kShrink) {
    args.alpha = node.Float("lambd", 0.5f);
    args.beta = node.Float("bias", 0);
  }
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  return std::unique_ptr<PreparedKernel>(std::make_unique<RowRangeKernel<UnaryArgs>>(
      args, body, Elements(problem.input(0)), kGrain / 4, problem.threads, ElementsOfRow(problem)));
}

double UnaryFlops(const Problem& problem) {
  return 20.0 * static_cast<double>(Elements(problem.input(0)));
}

}  // namespace tamis
