// Reductions of f64, of integers of every width (sums and products wrap around) and, greatest and least, of bool.
#include <cmath>
#include <limits>

#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/reduce/reduce.h"

namespace tamis {
namespace {

// Totals: f64 for floats, 64 bits of the element's signedness for integers; unsigned while they are added, so that they
// wrap.
template <class T>
using Total = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

template <class T>
struct TypedArgs {
  ReduceArgs loops;
  int64_t count = 1;  // elements of one result
};

template <class T>
T Finish(const ReduceArgs& args, Total<T> total, int64_t count) {
  using Signed = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
  if constexpr (std::is_floating_point_v<T>) {
    switch (args.finish) {
      case ReduceFinish::kScale:
        return total / static_cast<double>(count);
      case ReduceFinish::kRoot:
        return std::sqrt(total);
      case ReduceFinish::kLog:
        return std::log(total);
      case ReduceFinish::kNone:
        break;
    }
    return total;
  } else {
    const auto value = static_cast<Signed>(total);
    if (args.finish == ReduceFinish::kScale) {
      return count == 0 ? T{} : static_cast<T>(value / static_cast<Signed>(count));
    }
    return static_cast<T>(value);
  }
}

template <class T, class F>
void ForRows(const ReduceArgs& args, const T* x, F f) {
  for (int64_t t = 0; t < args.terms.count; ++t) {
    int64_t rest = t, at = 0;
    for (int d = args.terms.rank - 1; d >= 0; --d) {
      at += rest % args.terms.dims[d] * args.terms.strides[d];
      rest /= args.terms.dims[d];
    }
    for (int64_t r = 0; r < args.rows; ++r) f(x + at + r * args.row_stride);
  }
}

// totals[c] = step(totals[c], x) over all rows, then one result a column.
template <class T, class Step>
void Fold(const ReduceArgs& args, const T* x, T* y, int64_t columns, int64_t count, Total<T> start, Step step) {
  Total<T> totals[256];
  std::fill_n(totals, columns, start);
  ForRows(args, x, [&](const T* row) {
    if (args.columns == 1) {
      Total<T> total = totals[0];
      for (int64_t i = 0; i < args.run; ++i) total = step(total, row[i]);
      totals[0] = total;
    } else {
      for (int64_t c = 0; c < columns; ++c) totals[c] = step(totals[c], row[c]);
    }
  });
  for (int64_t c = 0; c < columns; ++c) y[c] = Finish<T>(args, totals[c], count);
}

// Of a column: integers in the roots and logarithms of norms are computed in double.
template <class T, class F>
double SumOf(const ReduceArgs& args, const T* x, F f) {
  double total = 0;
  ForRows(args, x, [&](const T* row) {
    for (int64_t i = 0; i < args.run; ++i) total += f(static_cast<double>(row[i]));
  });
  return total;
}

template <class T>
T Best(const ReduceArgs& args, const T* x, bool greatest) {
  const T none = std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  T best = greatest ? (std::is_floating_point_v<T> ? -none : std::numeric_limits<T>::min()) : none;
  ForRows(args, x, [&](const T* row) {
    for (int64_t i = 0; i < args.run; ++i) {
      if (row[i] != row[i] || (greatest ? row[i] > best : row[i] < best)) best = row[i];
    }
  });
  return best;
}

template <class T>
double LogSumExp(const ReduceArgs& args, const T* x) {
  const auto largest = static_cast<double>(Best(args, x, true));
  if (!std::isfinite(largest)) return largest;
  return largest + std::log(SumOf(args, x, [&](double v) { return std::exp(v - largest); }));
}

template <class T>
void Items(const TypedArgs<T>& typed, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
           std::byte* /*scratch*/) {
  const ReduceArgs& args = typed.loops;
  using Wide = Total<T>;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t outer = item / args.chunks, first = item % args.chunks * args.chunk;
    int64_t rest = outer, at = first;
    for (int d = args.outer.rank - 1; d >= 0; --d) {
      at += rest % args.outer.dims[d] * args.outer.strides[d];
      rest /= args.outer.dims[d];
    }
    const T* x = static_cast<const T*>(inputs[0]) + at;
    T* y = static_cast<T*>(outputs[0]) + outer * args.columns + first;
    const int64_t n = std::min(args.chunk, args.columns - first);
    const auto fold = [&](Wide start, auto step) { Fold<T>(args, x, y, n, typed.count, start, step); };
    const auto each = [&](auto f) {
      for (int64_t c = 0; c < n; ++c) y[c] = static_cast<T>(f(x + c));
    };
    // Through the signed type, so that negative numbers stay what they are in 64 bits.
    const auto wide = [](T v) { return static_cast<Wide>(v); };
    switch (args.kind) {
      case ReduceKind::kSum:
        fold(0, [&](Wide total, T v) { return total + wide(v); });
        break;
      case ReduceKind::kProduct:
        fold(1, [&](Wide total, T v) { return total * wide(v); });
        break;
      case ReduceKind::kSquares:
        if (std::is_integral_v<T> && args.finish == ReduceFinish::kRoot) {
          each([&](const T* column) { return std::sqrt(SumOf(args, column, [](double v) { return v * v; })); });
        } else {
          fold(0, [&](Wide total, T v) { return total + wide(v) * wide(v); });
        }
        break;
      case ReduceKind::kMagnitudes:
        fold(0, [&](Wide total, T v) { return v < T{} ? total - wide(v) : total + wide(v); });
        break;
      case ReduceKind::kMaximum:
        each([&](const T* column) { return Best(args, column, true); });
        break;
      case ReduceKind::kMinimum:
        each([&](const T* column) { return Best(args, column, false); });
        break;
      case ReduceKind::kLogSumExp:
        each([&](const T* column) { return LogSumExp(args, column); });
        break;
    }
  }
}

DType ReducedAs(DType dtype) {
  return dtype == DType::kBool ? DType::kUInt8 : dtype;
}

Status Supports(const Problem& problem) {
  const DType dtype = problem.input(0).dtype;
  const bool known = dtype == DType::kFloat64 || IsWideInteger(ReducedAs(dtype));
  if (!known || problem.outputs[0].dtype != dtype) return UserError("{} is not reduced here", Name(dtype));
  return CheckReduce(problem);
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  TAMIS_ASSIGN_OR_RETURN(const ReduceArgs args, MakeReduceArgs(problem));
  const int64_t count = args.terms.count * args.rows * args.run;
  std::unique_ptr<PreparedKernel> kernel;
  WithNumber(ReducedAs(problem.input(0).dtype), [&]<class T>(T) {
    if constexpr (!std::is_same_v<T, float>) {
      kernel = std::make_unique<RangeKernel<TypedArgs<T>>>(TypedArgs<T>{args, count}, Items<T>, ReduceItems(args),
                                                           ReduceGrain(args), problem.threads);
    }
  });
  return kernel;
}

}  // namespace

extern const KernelDef kernel_reduce_typed = {
    .name = "reduce_typed",
    .family = "reduce",
    .ops = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "GlobalAveragePool"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 2 * ReduceFlops(problem)); },
    .prepare = Prepare,
};

}  // namespace tamis
