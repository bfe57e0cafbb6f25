#include "src/kernels/chain/cuda/cuda_chain.h"

#include <iterator>

#include "src/kernels/cuda/float_types.h"
#include "src/kernels/elementwise/broadcast.h"
#include "src/kernels/operand_check.h"
#include "src/ops/op_chain.h"
#include "src/ops/op_tamis.h"

namespace tamis::cuda {
namespace {

static_assert(kMaxChainInputs <= size_t{kChainInputs} && kMaxChainSteps <= size_t{kChainSteps});

using Kind = ElementwiseKind;

// By ChainOp, whose parameters are those of the kinds.
constexpr Kind kKinds[] = {Kind::kAdd,  Kind::kSub,       Kind::kMul,      Kind::kDiv,         Kind::kMin,
                           Kind::kMax,  Kind::kAffine,    Kind::kRelu,     Kind::kGelu,        Kind::kGeluTanh,
                           Kind::kTanh, Kind::kSigmoid,   Kind::kClip,     Kind::kHardSwish,   Kind::kErf,
                           Kind::kExp,  Kind::kSqrt,      Kind::kNeg,      Kind::kHardSigmoid, Kind::kLeakyRelu,
                           Kind::kElu,  Kind::kSoftplus,  Kind::kSoftsign, Kind::kMish,        Kind::kSwish,
                           Kind::kAbs,  Kind::kReciprocal};
static_assert(std::size(kKinds) == size_t{static_cast<uint8_t>(ChainOp::kReciprocal)} + 1);
static_assert(kKinds[static_cast<size_t>(ChainOp::kAffine)] == Kind::kAffine &&
              kKinds[static_cast<size_t>(ChainOp::kElu)] == Kind::kElu &&
              kKinds[static_cast<size_t>(ChainOp::kReciprocal)] == Kind::kReciprocal);

// Operands by number, those that are still in registers as such, and which steps others need later.
void SetSteps(const std::vector<ChainStep>& steps, ChainElementsArgs* args) {
  args->count = static_cast<int>(steps.size());
  for (int i = 0; i < args->count; ++i) {
    const ChainStep& step = steps[static_cast<size_t>(i)];
    ChainElementsStep& to = args->steps[i];
    to.step = {kKinds[static_cast<size_t>(step.op)], step.alpha, step.beta, step.gamma};
    const auto place = [&](int64_t operand) {
      const int before = static_cast<int>(operand) - args->inputs;
      if (before >= 0 && before == i - 1) return kChainLast;
      if (before >= 0) args->steps[before].kept = true;
      return static_cast<int>(operand);
    };
    to.left = place(step.left);
    to.right = IsBinary(step.op) ? place(step.right) : to.left;
  }
}

// Neighbours always lie in one row of the last loop, on boundaries of what is loaded at once.
int Neighbours(const ChainElementsArgs& args) {
  const int last = args.rank - 1;
  const auto fits = [&](int64_t count) {
    if (args.dims[last] % count != 0) return false;
    for (int i = 0; i < args.inputs; ++i) {
      for (int axis = 0; axis < last && args.strides[i][last] != 0; ++axis) {
        if (args.strides[i][axis] % count != 0) return false;
      }
    }
    return true;
  };
  return fits(8) ? 8 : fits(4) ? 4 : 1;
}

}  // namespace

Result<ChainElementsArgs> ReadCudaChain(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.inputs.empty() || problem.inputs.size() > kMaxChainInputs) {
    return UserError("{} operands; 1 to {} are supported", problem.inputs.size(), kMaxChainInputs);
  }
  ChainElementsArgs args;
  args.inputs = static_cast<int>(problem.inputs.size());
  for (size_t i = 0; i < problem.inputs.size(); ++i) {
    args.x_dtypes[i] = problem.inputs[i].dtype;
    if (!IsComputedFloat(args.x_dtypes[i])) return UserError("operand {} is {}", i, Name(args.x_dtypes[i]));
  }
  args.y_dtype = problem.outputs[0].dtype;
  if (!IsComputedFloat(args.y_dtype)) return UserError("the result is {}", Name(args.y_dtype));
  TAMIS_ASSIGN_OR_RETURN(const std::vector<ChainStep> steps, ReadChain(*problem.node));
  SetSteps(steps, &args);
  TAMIS_ASSIGN_OR_RETURN(const BroadcastLoops loops, MakeBroadcastLoops(problem, problem.inputs.size()));
  args.rank = loops.rank;
  args.elements = loops.count;
  for (int axis = 0; axis < loops.rank; ++axis) {
    args.dims[axis] = loops.dims[axis];
    for (size_t i = 0; i < problem.inputs.size(); ++i) args.strides[i][axis] = loops.strides[i][axis];
  }
  if (args.elements == 0) return UserError("the result is empty");
  args.neighbours = Neighbours(args);
  return args;
}

}  // namespace tamis::cuda
