// Comparisons with broadcasting: numbers of every width and bool, bool results.
#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

enum class Relation : uint8_t { kEqual, kGreater, kGreaterOrEqual, kLess, kLessOrEqual };

struct Args {
  Relation relation = Relation::kEqual;
  BroadcastLoops loops;
};

template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto compare = [&](auto holds) { CombineRuns<T, uint8_t>(args.loops, inputs, outputs, begin, end, holds); };
  switch (args.relation) {
    case Relation::kEqual:
      return compare([](T a, T b) { return a == b; });
    case Relation::kGreater:
      return compare([](T a, T b) { return a > b; });
    case Relation::kGreaterOrEqual:
      return compare([](T a, T b) { return a >= b; });
    case Relation::kLess:
      return compare([](T a, T b) { return a < b; });
    case Relation::kLessOrEqual:
      return compare([](T a, T b) { return a <= b; });
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

DType ComparedAs(DType dtype) {
  return dtype == DType::kBool ? DType::kUInt8 : dtype;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtype = problem.input(0).dtype;
  if (!WithNumber(ComparedAs(dtype), [](auto) {})) return UserError("{} is not compared", Name(dtype));
  if (problem.input(1).dtype != dtype) return UserError("the operands' dtypes differ");
  return MakeBroadcastLoops(problem, 2).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  Args args;
  args.relation = RelationOf(problem);
  TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, 2));
  RangeBody<Args> body = nullptr;
  WithNumber(ComparedAs(problem.input(0).dtype), [&]<class T>(T) { body = Rows<T>; });
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
