// And, Or, Xor with broadcasting, and Not: bool.
#include "src/kernels/elementwise/broadcast_runs.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

enum class Logic : uint8_t { kAnd, kOr, kXor, kNot };

struct Args {
  Logic logic = Logic::kAnd;
  BroadcastLoops loops;
};

template <class F>
void Combine(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end, F f) {
  const BroadcastLoops& loops = args.loops;
  const int last = loops.rank - 1;
  const int64_t a_step = loops.strides[0][last];
  const bool unary = args.logic == Logic::kNot;
  const int64_t b_step = unary ? a_step : loops.strides[1][last];
  ForEachRun(loops, begin, end, [&](const auto& offsets, int64_t at, int64_t count) {
    const auto* a = static_cast<const uint8_t*>(inputs[0]) + offsets[0];
    const auto* b = unary ? a : static_cast<const uint8_t*>(inputs[1]) + offsets[1];
    auto* out = static_cast<uint8_t*>(outputs[0]) + at;
    for (int64_t i = 0; i < count; ++i) out[i] = f(a[i * a_step] != 0, b[i * b_step] != 0) ? 1 : 0;
  });
}

void Body(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  switch (args.logic) {
    case Logic::kAnd:
      return Combine(args, inputs, outputs, begin, end, [](bool a, bool b) { return a && b; });
    case Logic::kOr:
      return Combine(args, inputs, outputs, begin, end, [](bool a, bool b) { return a || b; });
    case Logic::kXor:
      return Combine(args, inputs, outputs, begin, end, [](bool a, bool b) { return a != b; });
    case Logic::kNot:
      return Combine(args, inputs, outputs, begin, end, [](bool a, bool) { return !a; });
  }
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.inputs.size() != (problem.node->op == "Not" ? 1u : 2u)) return UserError("too few or many operands");
  for (const Operand& operand : problem.inputs) {
    if (operand.dtype != DType::kBool) return UserError("combines bool, not {}", Name(operand.dtype));
  }
  return MakeBroadcastLoops(problem, problem.inputs.size()).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const std::string& op = problem.node->op;
  Args args;
  args.logic = op == "And" ? Logic::kAnd : op == "Or" ? Logic::kOr : op == "Xor" ? Logic::kXor : Logic::kNot;
  TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, problem.inputs.size()));
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, Body, args.loops.count, 131072, problem.threads));
}

}  // namespace

extern const KernelDef kernel_logical = {
    .name = "logical",
    .family = "elementwise",
    .ops = {"And", "Or", "Xor", "Not"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
