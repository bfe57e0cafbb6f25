// Trilu: the upper or lower triangle of each matrix, zeros elsewhere.
#include <algorithm>
#include <cstring>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

// Items are rows.
struct Args {
  int64_t rows = 0, columns = 0, diagonal = 0;
  size_t element = 0;
  bool upper = true;
};

void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  for (int64_t row = begin; row < end; ++row) {
    const int64_t split = std::clamp<int64_t>(row % args.rows + args.diagonal + (args.upper ? 0 : 1), 0, args.columns);
    const auto at = static_cast<size_t>(row * args.columns) * args.element;
    const size_t before = static_cast<size_t>(split) * args.element;
    const size_t after = static_cast<size_t>(args.columns) * args.element - before;
    const auto* x = static_cast<const std::byte*>(inputs[0]) + at;
    auto* y = static_cast<std::byte*>(outputs[0]) + at;
    if (args.upper) {
      std::memset(y, 0, before);
      std::memcpy(y + before, x + before, after);
    } else {
      std::memcpy(y, x, before);
      std::memset(y + before, 0, after);
    }
  }
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.input(0).dims.size() < 2) return UserError("{} holds no matrices", ToString(problem.input(0).dims));
  const Operand& diagonal = problem.input(1);
  if (diagonal.Present() && (diagonal.constant == nullptr || Elements(diagonal) != 1)) {
    return UserError("the diagonal is not a constant");
  }
  return CheckMovable(problem.input(0).dtype);
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& dims = problem.input(0).dims;
  Args args;
  args.rows = dims[dims.size() - 2];
  args.columns = dims.back();
  args.element = ByteSize(problem.input(0).dtype, 1);
  args.upper = problem.node->Int("upper", 1) != 0;
  if (problem.input(1).Present()) {
    const int64_t most = args.rows + args.columns;
    args.diagonal = std::clamp(problem.input(1).constant->ToInt64s()[0], -most, most);
  }
  const int64_t rows = args.columns == 0 ? 0 : Elements(problem.input(0)) / args.columns;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, Rows, rows, GrainFor(args.columns, 131072), problem.threads));
}

}  // namespace

extern const KernelDef kernel_trilu = {
    .name = "trilu",
    .family = "transpose",
    .ops = {"Trilu"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
