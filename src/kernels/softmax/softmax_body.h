// The body of Softmax and LogSoftmax for the ISA of the including file.
#pragma once

#include "src/kernels/softmax/softmax.h"
#include "src/kernels/vec_math.h"

namespace tamis {
namespace {

template <class In, class Out>
inline void SoftmaxRows(const SoftmaxArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                        int64_t end, float* row) {
  const int64_t n = args.columns;
  for (int64_t r = begin; r < end; ++r) {
    const In* x = static_cast<const In*>(inputs[0]) + r * n;
    Out* y = static_cast<Out*>(outputs[0]) + r * n;
    Vec highest = Set(-__builtin_inff());
    float top = -__builtin_inff();
    ForVectors(
        n, [&](int64_t i) { highest = Max(highest, Load(x + i)); },
        [&](int64_t i, int rest) {
          for (int j = 0; j < rest; ++j) {
            const float value = ToFloat(x[i + j]);
            if (value > top) top = value;
          }
        });
    const float vector_top = MaxLane(highest);
    const float shift_by = vector_top > top ? vector_top : top;
    const Vec shift = Set(shift_by);
    Vec sums = Set(0);
    float sum = 0;
    ForVectors(
        n,
        [&](int64_t i) {
          const Vec e = Exp(Load(x + i) - shift);
          sums = sums + e;
          Store(row + i, e);
        },
        [&](int64_t i, int rest) {
          StorePart(row + i, Exp(LoadPart(x + i, rest) - shift), rest);
          for (int j = 0; j < rest; ++j) sum += row[i + j];
        });
    const float total = sum + SumLanes(sums);
    if (args.log) {
      const Vec behind = Set(__builtin_logf(total));  // subtracted last: the shifted values may be near 0
      Map(x, y, n, [&](Vec v) { return v - shift - behind; });
    } else {
      const Vec inverse = Set(1.0f / total);
      Map(row, y, n, [&](Vec e) { return e * inverse; });
    }
  }
}

TAMIS_INLINE Vec LogOfLanes(Vec v) {
  alignas(64) float lanes[kLanes];
  Store(lanes, v);
  for (int i = 0; i < kLanes; ++i) lanes[i] = __builtin_logf(lanes[i]);
  return Load(lanes);
}

// Up to a whole vector.
template <class T>
TAMIS_INLINE Vec LoadSome(const T* p, int lanes) {
  return lanes == kLanes ? Load(p) : LoadPart(p, lanes);
}
template <class T>
TAMIS_INLINE void StoreSome(T* p, Vec v, int lanes) {
  if (lanes == kLanes) {
    Store(p, v);
  } else {
    StorePart(p, v, lanes);
  }
}

// Rows beside each other, a vector of them at a time.
template <class In, class Out>
inline void SoftmaxColumns(const SoftmaxArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                           int64_t end) {
  const int64_t n = args.columns, step = args.step, vectors = (step + kLanes - 1) / kLanes;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item % vectors * kLanes;
    const auto lanes = static_cast<int>(MinOf(kLanes, step - first));
    const In* x = static_cast<const In*>(inputs[0]) + item / vectors * n * step + first;
    Out* y = static_cast<Out*>(outputs[0]) + item / vectors * n * step + first;
    const auto load = [&](int64_t i) { return LoadSome(x + i * step, lanes); };
    const auto store = [&](int64_t i, Vec v) { StoreSome(y + i * step, v, lanes); };
    Vec highest = load(0);
    for (int64_t i = 1; i < n; ++i) highest = Max(highest, load(i));
    Vec sum = Set(0);
    for (int64_t i = 0; i < n; ++i) sum = sum + Exp(load(i) - highest);
    if (args.log) {
      const Vec behind = LogOfLanes(sum);
      for (int64_t i = 0; i < n; ++i) store(i, load(i) - highest - behind);
    } else {
      const Vec inverse = Set(1) / sum;
      for (int64_t i = 0; i < n; ++i) store(i, Exp(load(i) - highest) * inverse);
    }
  }
}

// Fewer rows beside each other than half a vector: elements of several places of all of them lie in one, and lanes of
// the same row meet in the end.
template <class In, class Out>
inline void SoftmaxNarrow(const SoftmaxArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                          int64_t end, float* block) {
  const int64_t step = args.step, size = args.columns * step, used = kLanes / step * step;
  const auto each = [&](auto f) {
    for (int64_t i = 0; i < size; i += used) f(i, static_cast<int>(MinOf(used, size - i)));
  };
  // A result of each lane's row, in each lane.
  const auto meet = [&](Vec v, auto f) {
    alignas(64) float lanes[kLanes];
    Store(lanes, v);
    for (int64_t k = step; k < used; ++k) lanes[k % step] = f(lanes[k % step], lanes[k]);
    for (int64_t k = step; k < kLanes; ++k) lanes[k] = lanes[k % step];
    return Load(lanes);
  };
  // Lanes of the last vector that hold no element must change nothing.
  const auto over_blank = [&](Vec v, int lanes, float blank) {
    alignas(64) float filled[kLanes];
    Store(filled, Set(blank));
    StoreSome(filled, v, lanes);
    return Load(filled);
  };
  for (int64_t item = begin; item < end; ++item) {
    const In* x = static_cast<const In*>(inputs[0]) + item * size;
    Out* y = static_cast<Out*>(outputs[0]) + item * size;
    Vec highest = Set(-__builtin_inff());
    each([&](int64_t i, int lanes) {
      const Vec v = LoadSome(x + i, lanes);
      highest = Max(highest, lanes == used ? v : over_blank(v, lanes, -__builtin_inff()));
    });
    const Vec shift = meet(highest, [](float a, float b) { return b > a ? b : a; });
    Vec sums = Set(0);
    each([&](int64_t i, int lanes) {
      const Vec e = Exp(LoadSome(x + i, lanes) - shift);
      sums = sums + (lanes == used ? e : over_blank(e, lanes, 0));
      StoreSome(block + i, e, lanes);
    });
    const Vec total = meet(sums, [](float a, float b) { return a + b; });
    if (args.log) {
      const Vec behind = LogOfLanes(total);
      each([&](int64_t i, int lanes) { StoreSome(y + i, LoadSome(x + i, lanes) - shift - behind, lanes); });
    } else {
      const Vec inverse = Set(1) / total;
      each([&](int64_t i, int lanes) { StoreSome(y + i, LoadSome(block + i, lanes) * inverse, lanes); });
    }
  }
}

inline void Softmax(const SoftmaxArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                    int64_t end, std::byte* scratch) {
  auto* row = reinterpret_cast<float*>(scratch);
  if (IsNarrow(args, kLanes)) {
    if (args.bf16_input) {
      const auto narrow = args.bf16_output ? SoftmaxNarrow<Bf16, Bf16> : SoftmaxNarrow<Bf16, float>;
      narrow(args, inputs, outputs, begin, end, row);
    } else {
      const auto narrow = args.bf16_output ? SoftmaxNarrow<float, Bf16> : SoftmaxNarrow<float, float>;
      narrow(args, inputs, outputs, begin, end, row);
    }
    return;
  }
  if (args.step > 1) {
    if (args.bf16_input) {
      const auto columns = args.bf16_output ? SoftmaxColumns<Bf16, Bf16> : SoftmaxColumns<Bf16, float>;
      columns(args, inputs, outputs, begin, end);
    } else {
      const auto columns = args.bf16_output ? SoftmaxColumns<float, Bf16> : SoftmaxColumns<float, float>;
      columns(args, inputs, outputs, begin, end);
    }
    return;
  }
  if (args.bf16_input) {
    const auto rows = args.bf16_output ? SoftmaxRows<Bf16, Bf16> : SoftmaxRows<Bf16, float>;
    rows(args, inputs, outputs, begin, end, row);
  } else {
    const auto rows = args.bf16_output ? SoftmaxRows<float, Bf16> : SoftmaxRows<float, float>;
    rows(args, inputs, outputs, begin, end, row);
  }
}

}  // namespace
}  // namespace tamis
