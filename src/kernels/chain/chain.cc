#include "src/kernels/chain/chain.h"

#include <array>

#include "src/kernels/operand_check.h"
#include "src/kernels/row_range_kernel.h"

namespace tamis {
namespace {

static_assert(kMaxChainInputs <= kMaxOperands);

// Steps of one operand by the order of ChainOp, from kRelu on.
constexpr std::array kUnaryKinds = {
    UnaryKind::kRelu,     UnaryKind::kGelu,        UnaryKind::kGeluTanh,  UnaryKind::kTanh, UnaryKind::kSigmoid,
    UnaryKind::kClip,     UnaryKind::kHardSwish,   UnaryKind::kErf,       UnaryKind::kExp,  UnaryKind::kSqrt,
    UnaryKind::kNeg,      UnaryKind::kHardSigmoid, UnaryKind::kLeakyRelu, UnaryKind::kElu,  UnaryKind::kSoftplus,
    UnaryKind::kSoftsign, UnaryKind::kMish,        UnaryKind::kSwish,     UnaryKind::kAbs,  UnaryKind::kReciprocal};
constexpr std::array kBinaryKinds = {BinaryKind::kAdd, BinaryKind::kSub, BinaryKind::kMul,
                                     BinaryKind::kDiv, BinaryKind::kMin, BinaryKind::kMax};
static_assert(static_cast<size_t>(ChainOp::kAffine) == kBinaryKinds.size());
static_assert(static_cast<size_t>(ChainOp::kReciprocal) + 1 == kBinaryKinds.size() + 1 + kUnaryKinds.size());

bool IsCheap(ChainOp op) {
  return IsBinary(op) || op == ChainOp::kAffine || op == ChainOp::kRelu || op == ChainOp::kClip ||
         op == ChainOp::kNeg || op == ChainOp::kAbs || op == ChainOp::kLeakyRelu;
}

}  // namespace

Status SupportsChain(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.inputs.empty() || problem.inputs.size() > kMaxChainInputs) {
    return UserError("{} operands; 1 to {} are supported", problem.inputs.size(), kMaxChainInputs);
  }
  for (size_t i = 0; i < problem.inputs.size(); ++i)
    TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(i), "an operand"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  const auto steps = ReadChain(*problem.node);
  if (!steps.ok()) return steps.status();
  const auto loops = MakeBroadcastLoops(problem, problem.inputs.size());
  return loops.ok() ? Status() : loops.status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareChain(const Problem& problem, ChainBody body) {
  TAMIS_ASSIGN_OR_RETURN(const std::vector<ChainStep> steps, ReadChain(*problem.node));
  ChainArgs args;
  TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, problem.inputs.size()));
  args.inputs = static_cast<int>(problem.inputs.size());
  args.count = static_cast<int>(steps.size());
  for (size_t i = 0; i < problem.inputs.size(); ++i) args.bf16[i] = IsBf16(problem.input(i));
  args.bf16_output = IsBf16(problem.outputs[0]);
  int64_t work = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const ChainStep& step = steps[i];
    ChainStepArgs& to = args.steps[i];
    to.op = step.op;
    to.left = static_cast<int>(step.left);
    to.right = static_cast<int>(step.right);
    const auto op = static_cast<size_t>(step.op);
    if (IsBinary(step.op)) {
      to.binary = kBinaryKinds[op];
    } else {
      if (step.op != ChainOp::kAffine) to.unary.kind = kUnaryKinds[op - kBinaryKinds.size() - 1];
      to.unary.alpha = step.alpha;
      to.unary.beta = step.beta;
      to.unary.gamma = step.gamma;
    }
    work += IsCheap(step.op) ? 1 : 4;
  }
  // As the operators have it on their own: 131072 elements of a cheap one are worth a thread.
  const int64_t grain = std::max<int64_t>(131072 / work, 8192);
  return std::unique_ptr<PreparedKernel>(std::make_unique<RowRangeKernel<ChainArgs>>(
      args, body, args.loops.count, grain, problem.threads, ElementsOfRow(problem)));
}

double ChainFlops(const Problem& problem) {
  const auto steps = ReadChain(*problem.node);
  double each = 0;
  if (steps.ok()) {
    for (const ChainStep& step : *steps) each += IsCheap(step.op) ? 1 : 20;
  }
  return each * static_cast<double>(Elements(problem.outputs[0]));
}

}  // namespace tamis
