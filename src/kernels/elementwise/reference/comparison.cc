// Comparisons with broadcasting: f32, int64 and int32 operands, bool results.
#include "src/kernels/elementwise/broadcast_runs.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

enum class Relation : uint8_t { kEqual, kGreater, kGreaterOrEqual, kLess, kLessOrEqual };

struct Args {
  Relation relation = Relation::kEqual;
  BroadcastLoops loops;
};

template <class T, class F>
void Compare(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end, F holds) {
  const BroadcastLoops& loops = args.loops;
  const int last = loops.rank - 1;
  const int64_t a_step = loops.strides[0][last], b_step = loops.strides[1][last];
  ForEachRun(loops, begin, end, [&](const auto& offsets, int64_t at, int64_t count) {
    const T* a = static_cast<const T*>(inputs[0]) + offsets[0];
    const T* b = static_cast<const T*>(inputs[1]) + offsets[1];
    auto* out = static_cast<uint8_t*>(outputs[0]) + at;
    for (int64_t i = 0; i < count; ++i) out[i] = holds(a[i * a_step], b[i * b_step]) ? 1 : 0;
  });
}

template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  switch (args.relation) {
    case Relation::kEqual:
      return Compare<T>(args, inputs, outputs, begin, end, [](T a, T b) { return a == b; });
    case Relation::kGreater:
      return Compare<T>(args, inputs, outputs, begin, end, [](T a, T b) { return a > b; });
    case Relation::kGreaterOrEqual:
      return Compare<T>(args, inputs, outputs, begin, end, [](T a, T b) { return a >= b; });
    case Relation::kLess:
      return Compare<T>(args, inputs, outputs, begin, end, [](T a, T b) { return a < b; });
    case Relation::kLessOrEqual:
      return Compare<T>(args, inputs, outputs, begin, end, [](T a, T b) { return a <= b; });
  }
}

Relation RelationOf(const Problem& problem) {
  const std::string& op = problem.node->op;
  return op == "Equal"            ? Relation::kEqual
         : op == "Greater"        ? Relation::kGreater
         : op == "GreaterOrEqual" ? Relation::kGreaterOrEqual
         : op == "Less"           ? Relation::kLess
                                  : Relation::kLessOrEqual;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtype = problem.input(0).dtype;
  if (dtype != DType::kFloat32 && dtype != DType::kInt64 && dtype != DType::kInt32) {
    return UserError("compares float32, int64 and int32, not {}", Name(dtype));
  }
  if (problem.input(1).dtype != dtype) return UserError("the operands' dtypes differ");
  return MakeBroadcastLoops(problem, 2).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  Args args;
  args.relation = RelationOf(problem);
  TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, 2));
  const DType dtype = problem.input(0).dtype;
  const auto body = dtype == DType::kFloat32 ? Rows<float> : dtype == DType::kInt64 ? Rows<int64_t> : Rows<int32_t>;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, body, args.loops.count, 65536, problem.threads));
}

}  // namespace

extern const KernelDef kernel_comparison = {
    .name = "comparison",
    .family = "elementwise",
    .ops = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
