#include "src/kernels/elementwise/cuda/cuda_elementwise_read.h"

#include <limits>
#include <utility>

#include "src/kernels/cuda/float_types.h"
#include "src/kernels/elementwise/broadcast.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

using Kind = ElementwiseKind;

constexpr std::pair<std::string_view, Kind> kKinds[] = {{"Relu", Kind::kRelu},
                                                        {"Tanh", Kind::kTanh},
                                                        {"Sigmoid", Kind::kSigmoid},
                                                        {"Clip", Kind::kClip},
                                                        {"HardSwish", Kind::kHardSwish},
                                                        {"Erf", Kind::kErf},
                                                        {"Exp", Kind::kExp},
                                                        {"Log", Kind::kLog},
                                                        {"Sqrt", Kind::kSqrt},
                                                        {"Neg", Kind::kNeg},
                                                        {"Abs", Kind::kAbs},
                                                        {"Reciprocal", Kind::kReciprocal},
                                                        {"Softplus", Kind::kSoftplus},
                                                        {"LeakyRelu", Kind::kLeakyRelu},
                                                        {"HardSigmoid", Kind::kHardSigmoid},
                                                        {"Gelu", Kind::kGelu},
                                                        {"Swish", Kind::kSwish},
                                                        {"Mish", Kind::kMish},
                                                        {"Elu", Kind::kElu},
                                                        {"Add", Kind::kAdd},
                                                        {"Sub", Kind::kSub},
                                                        {"Mul", Kind::kMul},
                                                        {"Div", Kind::kDiv},
                                                        {"Min", Kind::kMin},
                                                        {"Max", Kind::kMax},
                                                        {"Pow", Kind::kPow}};

// The bounds of Clip: attributes before opset 11, then constant inputs; open where absent.
Status ReadBounds(const Problem& problem, ElementwiseStep* step) {
  step->alpha = problem.node->Float("min", -std::numeric_limits<float>::infinity());
  step->beta = problem.node->Float("max", std::numeric_limits<float>::infinity());
  for (size_t i = 1; i < 3; ++i) {
    const Operand& bound = problem.input(i);
    if (!bound.Present()) continue;
    if (bound.constant == nullptr) return UserError("a bound of Clip is not constant");
    (i == 1 ? step->alpha : step->beta) = bound.constant->ToFloat32().Data<float>()[0];
  }
  return {};
}

}  // namespace

Result<ElementwiseArgs> ReadElementwise(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  ElementwiseArgs args;
  ElementwiseStep& step = args.step;
  bool known = false;
  for (const auto& [name, kind] : kKinds) {
    if (problem.node->op == name) step.kind = kind, known = true;
  }
  if (!known) return UserError("{} is not one of its operators", problem.node->op);
  if (step.kind == Kind::kGelu && problem.node->String("approximate", "none") == "tanh") step.kind = Kind::kGeluTanh;
  if (step.kind == Kind::kClip) TAMIS_RETURN_IF_ERROR(ReadBounds(problem, &step));
  if (step.kind == Kind::kHardSigmoid) {
    step.alpha = problem.node->Float("alpha", 0.2f);
    step.beta = problem.node->Float("beta", 0.5f);
  }
  if (step.kind == Kind::kLeakyRelu) step.alpha = problem.node->Float("alpha", 0.01f);
  if (step.kind == Kind::kSwish || step.kind == Kind::kElu) step.alpha = problem.node->Float("alpha", 1.0f);
  if (step.kind == Kind::kElu) step.beta = step.gamma = 1;
  const bool binary = IsBinary(step.kind);
  if (binary && problem.inputs.size() != 2) return UserError("{} operands; two are supported", problem.inputs.size());
  const Operand &a = problem.input(0), &b = problem.input(1), &y = problem.outputs[0];
  if (!IsComputedFloat(a.dtype) || (binary && !IsComputedFloat(b.dtype)) || !IsComputedFloat(y.dtype)) {
    return UserError("operands must be float32, float16 or bfloat16");
  }
  const Dims* operands[] = {&a.dims, binary ? &b.dims : &a.dims};
  TAMIS_ASSIGN_OR_RETURN(const BroadcastLoops loops, MakeBroadcastLoops(y.dims, operands));
  args.a_dtype = a.dtype, args.b_dtype = b.dtype, args.y_dtype = y.dtype;
  args.rank = loops.rank;
  args.count = loops.count;
  for (int i = 0; i < loops.rank; ++i) {
    args.dims[i] = loops.dims[i];
    args.strides[0][i] = loops.strides[0][i];
    args.strides[1][i] = loops.strides[1][i];
  }
  if (args.count == 0) return UserError("the result is empty");
  return args;
}

}  // namespace tamis::cuda
