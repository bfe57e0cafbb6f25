// ArgMax and ArgMin along one axis: the first or last of the best elements; the first NaN beats everything.
#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

constexpr int64_t kColumns = 64;

// Items are blocks of up to kColumns neighbouring rows: `size` elements, `step` apart.
struct Args {
  int64_t size = 0, step = 1;
  int64_t blocks = 1;  // of one outer index
  bool maximum = true, last = false;
};

// Whether `value` takes the place of `top`, which came before it. Without branches, for vectors.
template <bool kMaximum, bool kLast, class T>
bool Beats(T value, T top) {
  const bool better = kMaximum ? value > top : value < top;
  return (better || (kLast && value == top) || value != value) && !(top != top);
}

// A contiguous row: the best of eight interleaved rows, then the first or last place where it stands.
template <bool kMaximum, bool kLast, class T>
int64_t BestOfRow(const T* x, int64_t size) {
  constexpr int64_t kWays = 16;
  T tops[kWays];
  bool unordered = false;
  const int64_t whole = size / kWays * kWays;
  if (whole == 0) {
    int64_t best = 0;
    for (int64_t i = 1; i < size; ++i) best = Beats<kMaximum, kLast>(x[i], x[best]) ? i : best;
    return best;
  }
  std::copy_n(x, kWays, tops);
  for (int64_t i = 0; i < whole; i += kWays) {
    for (int64_t j = 0; j < kWays; ++j) {
      const T value = x[i + j];
      tops[j] = (kMaximum ? value > tops[j] : value < tops[j]) ? value : tops[j];
      unordered |= value != value;
    }
  }
  T top = tops[0];
  for (const T other : tops) top = (kMaximum ? other > top : other < top) ? other : top;
  for (int64_t i = whole; i < size; ++i) {
    top = (kMaximum ? x[i] > top : x[i] < top) ? x[i] : top;
    unordered |= x[i] != x[i];
  }
  const auto is_it = [&](T value) { return unordered ? value != value : value == top; };
  if (kLast && !unordered) {
    for (int64_t i = size; i-- > 0;) {
      if (is_it(x[i])) return i;
    }
  }
  for (int64_t i = 0; i < size; ++i) {
    if (is_it(x[i])) return i;
  }
  return 0;
}

template <bool kMaximum, bool kLast, class T>
void Best(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end) {
  for (int64_t item = begin; item < end; ++item) {
    const int64_t outer = item / args.blocks, column = item % args.blocks * kColumns;
    const T* x = static_cast<const T*>(inputs[0]) + outer * args.size * args.step + column;
    int64_t* y = static_cast<int64_t*>(outputs[0]) + outer * args.step + column;
    if (args.step == 1) {
      *y = BestOfRow<kMaximum, kLast>(x, args.size);
      continue;
    }
    const int64_t columns = std::min(kColumns, args.step - column);
    T tops[kColumns];
    int32_t places[kColumns] = {};
    std::copy_n(x, columns, tops);
    for (int64_t i = 1; i < args.size; ++i) {
      const T* row = x + i * args.step;
      for (int64_t c = 0; c < columns; ++c) {
        const bool beats = Beats<kMaximum, kLast>(row[c], tops[c]);
        tops[c] = beats ? row[c] : tops[c];
        places[c] = beats ? static_cast<int32_t>(i) : places[c];
      }
    }
    for (int64_t c = 0; c < columns; ++c) y[c] = places[c];
  }
}

template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto best = args.maximum ? (args.last ? Best<true, true, T> : Best<true, false, T>)
                                 : (args.last ? Best<false, true, T> : Best<false, false, T>);
  best(args, inputs, outputs, begin, end);
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand& x = problem.input(0);
  if (!WithNumber(x.dtype, [](auto) {})) return UserError("input 0 is {}; numbers are supported", Name(x.dtype));
  if (NormalizeAxis(problem.node->Int("axis", 0), x.dims.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(x.dims));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& dims = problem.input(0).dims;
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", 0), dims.size()));
  Args args;
  args.size = dims[axis];
  args.step = Product(dims, axis + 1, dims.size());
  args.maximum = problem.node->op == "ArgMax";
  args.last = problem.node->Int("select_last_index", 0) != 0;
  if (args.size > INT32_MAX) return UserError("an axis of {}", args.size);
  args.blocks = (args.step + kColumns - 1) / kColumns;
  const int64_t items = args.size == 0 ? 0 : Product(dims, 0, axis) * args.blocks;
  RangeBody<Args> body = nullptr;
  WithNumber(problem.input(0).dtype, [&]<class T>(T) { body = Rows<T>; });
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<Args>>(
      args, body, items, GrainFor(args.size * std::min(args.step, kColumns)), problem.threads));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, 2.0 * static_cast<double>(Elements(problem.input(0))));
}

}  // namespace

extern const KernelDef kernel_arg = {
    .name = "arg",
    .family = "select",
    .ops = {"ArgMax", "ArgMin"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
