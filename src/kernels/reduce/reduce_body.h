// The body of reductions for the ISA of the including file.
#pragma once

#include "src/kernels/reduce/reduce.h"
#include "src/kernels/vec_functions.h"

namespace tamis {
namespace {

// What is folded: a vector of elements into a vector of totals, totals together, an element as a number. kChecked: a
// maximum of vectors may lose a NaN.
struct SumFold {
  static constexpr float kStart = 0;
  static constexpr bool kChecked = false;
  TAMIS_INLINE static Vec Step(Vec total, Vec x) { return total + x; }
  TAMIS_INLINE static Vec Merge(Vec a, Vec b) { return a + b; }
  TAMIS_INLINE static double Join(double a, double b) { return a + b; }
  TAMIS_INLINE static double Element(double x) { return x; }
  TAMIS_INLINE static float Lanes(Vec total) { return SumLanes(total); }
};
struct SquareFold : SumFold {
  TAMIS_INLINE static Vec Step(Vec total, Vec x) { return Fma(x, x, total); }
  TAMIS_INLINE static double Element(double x) { return x * x; }
};
struct MagnitudeFold : SumFold {
  TAMIS_INLINE static Vec Step(Vec total, Vec x) { return total + Abs(x); }
  TAMIS_INLINE static double Element(double x) { return x < 0 ? -x : x; }
};
struct ProductFold : SumFold {
  static constexpr float kStart = 1;
  TAMIS_INLINE static Vec Step(Vec total, Vec x) { return total * x; }
  TAMIS_INLINE static Vec Merge(Vec a, Vec b) { return a * b; }
  TAMIS_INLINE static double Join(double a, double b) { return a * b; }
  TAMIS_INLINE static float Lanes(Vec total) {
    alignas(64) float lanes[kLanes];
    Store(lanes, total);
    float product = 1;
    for (const float lane : lanes) product *= lane;
    return product;
  }
};
struct MaximumFold : SumFold {
  static constexpr float kStart = -__builtin_inff();
  static constexpr bool kChecked = true;
  TAMIS_INLINE static Vec Step(Vec total, Vec x) { return Max(total, x); }
  TAMIS_INLINE static Vec Merge(Vec a, Vec b) { return Max(a, b); }
  TAMIS_INLINE static double Join(double a, double b) { return a != a || a > b ? a : b; }
  TAMIS_INLINE static float Lanes(Vec total) { return MaxLane(total); }
};
struct MinimumFold : SumFold {
  static constexpr float kStart = __builtin_inff();
  static constexpr bool kChecked = true;
  TAMIS_INLINE static Vec Step(Vec total, Vec x) { return Min(total, x); }
  TAMIS_INLINE static Vec Merge(Vec a, Vec b) { return Min(a, b); }
  TAMIS_INLINE static double Join(double a, double b) { return a != a || a < b ? a : b; }
  TAMIS_INLINE static float Lanes(Vec total) { return -MaxLane(Set(0) - total); }
};

// f(row) for every row that one result is folded over.
template <class In, class F>
TAMIS_INLINE void ForReducedRows(const ReduceArgs& args, const In* x, F f) {
  for (int64_t t = 0; t < args.terms.count; ++t) {
    int64_t rest = t, at = 0;
    for (int d = args.terms.rank - 1; d >= 0; --d) {
      at += rest % args.terms.dims[d] * args.terms.strides[d];
      rest /= args.terms.dims[d];
    }
    const In* row = x + at;
    for (int64_t r = 0; r < args.rows; ++r, row += args.row_stride) f(row);
  }
}

// Whether the check of a fold met a NaN or an infinity, of which only the former matters.
TAMIS_INLINE bool Doubtful(Vec check) {
  const float sum = SumLanes(check);
  return sum != sum;
}

// A contiguous run, in pieces whose totals are joined in double.
template <class Fold, class In>
inline double FoldRun(const In* x, int64_t n) {
  constexpr int64_t kPiece = 4096;
  double total = static_cast<double>(Fold::kStart);
  int64_t i = 0;
  for (int64_t piece = 0; piece + kLanes <= n; piece = i) {
    const int64_t end = MinOf(n, piece + kPiece);
    Vec totals[4] = {Set(Fold::kStart), Set(Fold::kStart), Set(Fold::kStart), Set(Fold::kStart)};
    Vec check = Set(0);
    for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
      for (int j = 0; j < 4; ++j) {
        const Vec v = Load(x + i + j * kLanes);
        totals[j] = Fold::Step(totals[j], v);
        if constexpr (Fold::kChecked) check = Fma(v, Set(0), check);
      }
    }
    for (; i + kLanes <= end; i += kLanes) {
      const Vec v = Load(x + i);
      totals[0] = Fold::Step(totals[0], v);
      if constexpr (Fold::kChecked) check = Fma(v, Set(0), check);
    }
    if (Fold::kChecked && Doubtful(check)) {
      for (int64_t k = piece; k < i; ++k) total = Fold::Join(total, static_cast<double>(ToFloat(x[k])));
      continue;
    }
    const Vec merged = Fold::Merge(Fold::Merge(totals[0], totals[1]), Fold::Merge(totals[2], totals[3]));
    total = Fold::Join(total, static_cast<double>(Fold::Lanes(merged)));
  }
  for (; i < n; ++i) total = Fold::Join(total, Fold::Element(static_cast<double>(ToFloat(x[i]))));
  return total;
}

// sum of exp(x - shift) over a run.
inline double ExponentialsOfRun(const float* x, int64_t n, float shift) {
  const Vec center = Set(shift);
  double total = 0;
  alignas(64) float lanes[kLanes];
  ForVectors(
      n, [&](int64_t i) { total += static_cast<double>(SumLanes(Exp(Load(x + i) - center))); },
      [&](int64_t i, int rest) {
        Store(lanes, Exp(LoadPart(x + i, rest) - center));
        for (int k = 0; k < rest; ++k) total += static_cast<double>(lanes[k]);
      });
  return total;
}

TAMIS_INLINE bool IsFinite(float x) {
  return x - x == 0;
}

inline float FinishOne(const ReduceArgs& args, double total) {
  switch (args.finish) {
    case ReduceFinish::kNone:
      break;
    case ReduceFinish::kScale:
      return static_cast<float>(total) * args.factor;
    case ReduceFinish::kRoot:
      return static_cast<float>(::sqrt(total));
    case ReduceFinish::kLog:
      return static_cast<float>(::log(total));
  }
  return static_cast<float>(total);
}

TAMIS_INLINE Vec FinishVec(const ReduceArgs& args, Vec total) {
  switch (args.finish) {
    case ReduceFinish::kNone:
      break;
    case ReduceFinish::kScale:
      return total * Set(args.factor);
    case ReduceFinish::kRoot:
      return Sqrt(total);
    case ReduceFinish::kLog:
      return Log(total);
  }
  return total;
}

// kVectors vectors of columns at once, of the last of which only `rest` lanes count where it is not 0.
template <class Fold, int kVectors, class In, class Out>
TAMIS_INLINE void FoldColumns(const ReduceArgs& args, const In* x, Out* y, int rest) {
  Vec totals[kVectors];
  Vec check = Set(0);
  for (int v = 0; v < kVectors; ++v) totals[v] = Set(Fold::kStart);
  ForReducedRows(args, x, [&](const In* row) {
    for (int v = 0; v < kVectors; ++v) {
      const Vec e = rest == 0 ? Load(row + v * kLanes) : LoadPart(row + v * kLanes, rest);
      totals[v] = Fold::Step(totals[v], e);
      if constexpr (Fold::kChecked) check = Fma(e, Set(0), check);
    }
  });
  if (Fold::kChecked && Doubtful(check)) {
    alignas(64) float lanes[kLanes];
    const int64_t columns = rest == 0 ? kVectors * kLanes : rest;
    for (int64_t c = 0; c < columns; ++c) {
      double total = static_cast<double>(Fold::kStart);
      ForReducedRows(args, x, [&](const In* row) { total = Fold::Join(total, static_cast<double>(ToFloat(row[c]))); });
      lanes[0] = FinishOne(args, total);
      StorePart(y + c, Load(lanes), 1);
    }
    return;
  }
  for (int v = 0; v < kVectors; ++v) {
    const Vec result = FinishVec(args, totals[v]);
    if (rest == 0) {
      Store(y + v * kLanes, result);
    } else {
      StorePart(y + v * kLanes, result, rest);
    }
  }
}

// A vector of columns, or `rest` of them: the largest first, then the exponentials of what is below it.
inline void LogSumExpColumns(const ReduceArgs& args, const float* x, float* y, int rest) {
  const auto read = [&](const float* row) { return rest == 0 ? Load(row) : LoadPart(row, rest); };
  Vec largest = Set(-__builtin_inff());
  ForReducedRows(args, x, [&](const float* row) { largest = Max(largest, read(row)); });
  // Where the largest is not finite, it is the result, or a NaN is.
  const Vec shift = IfLess(Abs(largest), Set(__builtin_inff()), largest, Set(0));
  Vec total = Set(0);
  ForReducedRows(args, x, [&](const float* row) { total = total + Exp(read(row) - shift); });
  const Vec result = shift + Log(total);
  if (rest == 0) {
    Store(y, result);
  } else {
    StorePart(y, result, rest);
  }
}

inline float LogSumExpOfRuns(const ReduceArgs& args, const float* x) {
  double largest = static_cast<double>(MaximumFold::kStart);
  ForReducedRows(args, x,
                 [&](const float* row) { largest = MaximumFold::Join(largest, FoldRun<MaximumFold>(row, args.run)); });
  const auto shift = static_cast<float>(largest);
  if (!IsFinite(shift)) return shift;
  double total = 0;
  ForReducedRows(args, x, [&](const float* row) { total += ExponentialsOfRun(row, args.run, shift); });
  return static_cast<float>(largest + ::log(total));
}

// f(x, y, columns) for each item.
template <class In, class Out, class F>
TAMIS_INLINE void ForReduceItems(const ReduceArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                                 int64_t end, F f) {
  for (int64_t item = begin; item < end; ++item) {
    int64_t outer = item, first = 0, at = 0;
    if (args.chunks == 1 && args.outer.rank == 1) {  // divisions cost as much as a short run
      at = item * args.outer.strides[0];
    } else {
      outer = item / args.chunks;
      at = first = item % args.chunks * args.chunk;
      int64_t rest = outer;
      for (int d = args.outer.rank - 1; d >= 0; --d) {
        at += rest % args.outer.dims[d] * args.outer.strides[d];
        rest /= args.outer.dims[d];
      }
    }
    f(static_cast<const In*>(inputs[0]) + at, static_cast<Out*>(outputs[0]) + outer * args.columns + first,
      MinOf(args.chunk, args.columns - first));
  }
}

template <class Fold, class In, class Out>
inline void FoldItems(const ReduceArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                      int64_t end) {
  ForReduceItems<In, Out>(args, inputs, outputs, begin, end, [&](const In* x, Out* y, int64_t n) {
    if (args.columns == 1) {
      double total = static_cast<double>(Fold::kStart);
      ForReducedRows(args, x, [&](const In* row) { total = Fold::Join(total, FoldRun<Fold>(row, args.run)); });
      StorePart(y, Set(FinishOne(args, total)), 1);
      return;
    }
    int64_t c = 0;
    for (; c + 4 * kLanes <= n; c += 4 * kLanes) FoldColumns<Fold, 4>(args, x + c, y + c, 0);
    for (; c + kLanes <= n; c += kLanes) FoldColumns<Fold, 1>(args, x + c, y + c, 0);
    if (c < n) FoldColumns<Fold, 1>(args, x + c, y + c, static_cast<int>(n - c));
  });
}

inline void Reduce(const ReduceArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                   std::byte* /*scratch*/) {
  switch (args.kind) {
    case ReduceKind::kSum:
      if (args.bf16_input) {
        if (args.bf16_output) return FoldItems<SumFold, Bf16, Bf16>(args, inputs, outputs, begin, end);
        return FoldItems<SumFold, Bf16, float>(args, inputs, outputs, begin, end);
      }
      if (args.bf16_output) return FoldItems<SumFold, float, Bf16>(args, inputs, outputs, begin, end);
      return FoldItems<SumFold, float, float>(args, inputs, outputs, begin, end);
    case ReduceKind::kSquares:
      return FoldItems<SquareFold, float, float>(args, inputs, outputs, begin, end);
    case ReduceKind::kMagnitudes:
      return FoldItems<MagnitudeFold, float, float>(args, inputs, outputs, begin, end);
    case ReduceKind::kProduct:
      return FoldItems<ProductFold, float, float>(args, inputs, outputs, begin, end);
    case ReduceKind::kMaximum:
      return FoldItems<MaximumFold, float, float>(args, inputs, outputs, begin, end);
    case ReduceKind::kMinimum:
      return FoldItems<MinimumFold, float, float>(args, inputs, outputs, begin, end);
    case ReduceKind::kLogSumExp:
      return ForReduceItems<float, float>(args, inputs, outputs, begin, end, [&](const float* x, float* y, int64_t n) {
        if (args.columns == 1) {
          *y = LogSumExpOfRuns(args, x);
          return;
        }
        ForVectors(
            n, [&](int64_t c) { LogSumExpColumns(args, x + c, y + c, 0); },
            [&](int64_t c, int rest) { LogSumExpColumns(args, x + c, y + c, rest); });
      });
  }
}

}  // namespace
}  // namespace tamis
