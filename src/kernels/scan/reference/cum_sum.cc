// CumSum and CumProd along one axis. Totals of f32 are kept in double, so that long rows do not drift; integers wrap
// around.
#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

constexpr int64_t kColumns = 512;  // of a row that is far from the next: worth its page

// Items are blocks of up to kColumns neighbouring rows: `size` elements, `step` apart.
struct Args {
  int64_t size = 0, step = 1;
  int64_t blocks = 1;  // of one outer index
  bool exclusive = false, reverse = false, product = false;
};

template <class T>
using Total = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

template <class T, bool kProduct>
void Scan(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end) {
  using Sum = Total<T>;
  const auto join = [](Sum total, T x) { return kProduct ? total * static_cast<Sum>(x) : total + static_cast<Sum>(x); };
  for (int64_t item = begin; item < end; ++item) {
    const int64_t column = item % args.blocks * kColumns;
    const int64_t first = item / args.blocks * args.size * args.step + column;
    const int64_t columns = std::min(kColumns, args.step - column);
    const T* x = static_cast<const T*>(inputs[0]) + first;
    T* y = static_cast<T*>(outputs[0]) + first;
    Sum totals[kColumns];
    std::fill_n(totals, columns, static_cast<Sum>(kProduct ? 1 : 0));
    for (int64_t i = 0; i < args.size; ++i) {
      const int64_t at = (args.reverse ? args.size - 1 - i : i) * args.step;
      if (args.exclusive) {
        for (int64_t c = 0; c < columns; ++c) {
          const Sum before = totals[c];
          totals[c] = join(before, x[at + c]);
          y[at + c] = static_cast<T>(before);
        }
      } else if (columns == 1) {
        totals[0] = join(totals[0], x[at]);
        y[at] = static_cast<T>(totals[0]);
      } else {
        for (int64_t c = 0; c < columns; ++c) {
          totals[c] = join(totals[c], x[at + c]);
          y[at + c] = static_cast<T>(totals[c]);
        }
      }
    }
  }
}

template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto scan = args.product ? Scan<T, true> : Scan<T, false>;
  scan(args, inputs, outputs, begin, end);
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &x = problem.input(0), &axis = problem.input(1);
  if (!WithNumber(x.dtype, [](auto) {})) return UserError("input 0 is {}; numbers are supported", Name(x.dtype));
  if (axis.constant == nullptr || Elements(axis) != 1) return UserError("the axis is not a constant");
  if (NormalizeAxis(axis.constant->ToInt64s()[0], x.dims.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(x.dims));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& dims = problem.input(0).dims;
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.input(1).constant->ToInt64s()[0], dims.size()));
  Args args;
  args.size = dims[axis];
  args.step = Product(dims, axis + 1, dims.size());
  args.exclusive = problem.node->Int("exclusive", 0) != 0;
  args.reverse = problem.node->Int("reverse", 0) != 0;
  args.product = problem.node->op == "CumProd";
  args.blocks = (args.step + kColumns - 1) / kColumns;
  const int64_t items = args.size == 0 ? 0 : Product(dims, 0, axis) * args.blocks;
  RangeBody<Args> body = nullptr;
  WithNumber(problem.input(0).dtype, [&]<class T>(T) { body = Rows<T>; });
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<Args>>(
      args, body, items, GrainFor(args.size * std::min(args.step, kColumns), 32768), problem.threads));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, 4.0 * static_cast<double>(Elements(problem.input(0))));
}

}  // namespace

extern const KernelDef kernel_cum_sum = {
    .name = "cum_sum",
    .family = "scan",
    .ops = {"CumSum", "CumProd"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
    .in_place = 0b1,
};

}  // namespace tamis
