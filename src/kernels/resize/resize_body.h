// The body of Resize for the ISA of the including file.
#pragma once

#include "src/kernels/resize/resize.h"
#include "src/kernels/vec.h"

namespace tamis {
namespace {

template <int kTimes, class T>
TAMIS_INLINE void RepeatRow(const T* x, int64_t n, T* y) {
  for (int64_t i = 0; i < n; ++i) {
    for (int k = 0; k < kTimes; ++k) y[i * kTimes + k] = x[i];
  }
}

template <class T>
inline void PickRow(const ResizeArgs& args, const T* x, T* y) {
  const ResizeTable& table = args.tables[args.rank - 1];
  const int64_t in_row = args.in_row, out_row = args.out[args.rank - 1];
  if (table.identity) {
    __builtin_memcpy(y, x, static_cast<size_t>(in_row) * sizeof(T));
  } else if (args.repeat == 2) {
    RepeatRow<2>(x, in_row, y);
  } else if (args.repeat == 4) {
    RepeatRow<4>(x, in_row, y);
  } else {
    for (int64_t i = 0; i < out_row; ++i) y[i] = x[table.index[i]];
  }
}

inline void CopyNearestRow(const ResizeArgs& args, const void* input, int64_t from, void* output, int64_t row) {
  const int64_t to = row * args.out[args.rank - 1];
  switch (args.element) {
    case 1:
      return PickRow(args, static_cast<const uint8_t*>(input) + from, static_cast<uint8_t*>(output) + to);
    case 2:
      return PickRow(args, static_cast<const uint16_t*>(input) + from, static_cast<uint16_t*>(output) + to);
    case 4:
      return PickRow(args, static_cast<const uint32_t*>(input) + from, static_cast<uint32_t*>(output) + to);
    default:
      return PickRow(args, static_cast<const uint64_t*>(input) + from, static_cast<uint64_t*>(output) + to);
  }
}

// sum = or += the rows x + from[k] times weight[k], `taps` (at most 4) of them in one pass.
template <int kTaps>
TAMIS_INLINE void BlendRows(const float* const* rows, const float* weights, bool first, int64_t n, float* sum) {
  Vec w[kTaps];
  for (int k = 0; k < kTaps; ++k) w[k] = Set(weights[k]);
  const auto blend = [&](auto read, Vec before) {
    Vec total = first ? read(rows[0]) * w[0] : Fma(read(rows[0]), w[0], before);
    for (int k = 1; k < kTaps; ++k) total = Fma(read(rows[k]), w[k], total);
    return total;
  };
  ForVectors(
      n,
      [&](int64_t i) {
        Store(sum + i, blend([i](const float* row) { return Load(row + i); }, first ? Set(0) : Load(sum + i)));
      },
      [&](int64_t i, int rest) {
        StorePart(sum + i,
                  blend([i, rest](const float* row) { return LoadPart(row + i, rest); },
                        first ? Set(0) : LoadPart(sum + i, rest)),
                  rest);
      });
}
inline void BlendRows(const float* const* rows, const float* weights, int64_t taps, bool first, int64_t n, float* sum) {
  switch (taps) {
    case 1:
      return BlendRows<1>(rows, weights, first, n, sum);
    case 2:
      return BlendRows<2>(rows, weights, first, n, sum);
    case 3:
      return BlendRows<3>(rows, weights, first, n, sum);
    default:
      return BlendRows<4>(rows, weights, first, n, sum);
  }
}

// The same for elements of `inner` numbers.
inline void ResampleRuns(const ResizeTable& table, const float* x, int64_t elements, int64_t inner, float* y) {
  const float* rows[4];
  for (int64_t i = 0; i < elements; ++i, y += inner) {
    const float* weights = table.weight + i * table.taps;
    for (int64_t first = 0; first < table.taps; first += 4) {
      const int64_t taps = MinOf(int64_t{4}, table.taps - first);
      for (int64_t t = 0; t < taps; ++t) rows[t] = x + table.index[i * table.taps + first + t] * inner;
      BlendRows(rows, weights + first, taps, first == 0, inner, y);
    }
  }
}

// A row of `elements` results.
inline void ResampleRow(const ResizeTable& table, const float* x, int64_t elements, int64_t inner, float* y) {
  if (inner > 1) return ResampleRuns(table, x, elements, inner, y);
  const int64_t out_row = elements, taps = table.taps;
  const int64_t* index = table.index;
  const float* weight = table.weight;
  if (taps == 4) {
    for (int64_t i = 0; i < out_row; ++i, index += 4, weight += 4) {
      y[i] = (weight[0] * x[index[0]] + weight[1] * x[index[1]]) + (weight[2] * x[index[2]] + weight[3] * x[index[3]]);
    }
    return;
  }
  if (taps == 2) {
    for (int64_t i = 0; i < out_row; ++i) {
      y[i] = weight[2 * i] * x[index[2 * i]] + weight[2 * i + 1] * x[index[2 * i + 1]];
    }
    return;
  }
  for (int64_t i = 0; i < out_row; ++i) {
    float sum = 0;
    for (int64_t t = 0; t < taps; ++t) sum += weight[i * taps + t] * x[index[i * taps + t]];
    y[i] = sum;
  }
}

// Rows of the input, resampled along the last axis, that the results at hand are blended of.
struct KeptRows {
  int64_t from[kMaxKeptRows] = {-1, -1, -1, -1};  // where each begins in the input
  float* rows = nullptr;
  int64_t stride = 0;

  float* Row(int64_t slot) const { return rows + slot * stride; }
  // The slot that holds the row from `at`; if none does, one that none of `wanted` lies in, marked as new.
  int64_t SlotOf(int64_t at, const int64_t* wanted, int64_t taps, bool* fresh) {
    for (int64_t slot = 0; slot < kMaxKeptRows; ++slot) {
      if (from[slot] == at) return slot;
    }
    *fresh = true;
    for (int64_t slot = 0; slot < kMaxKeptRows; ++slot) {
      bool used = false;
      for (int64_t t = 0; t < taps; ++t) used |= from[slot] == wanted[t];
      if (!used) {
        from[slot] = at;
        return slot;
      }
    }
    return 0;  // not reached: there are as many slots as taps, and `at` is not in one
  }
};

inline void BlendKeptRow(const ResizeArgs& args, const float* x, int64_t base, int64_t place, KeptRows& kept,
                         float* y) {
  const ResizeTable& table = args.tables[args.kept_axis];
  const int last = args.rank - 1;
  const int64_t out_row = args.out[last] * args.inner;
  int64_t wanted[kMaxKeptRows];
  float weights[kMaxKeptRows];
  int64_t taps = 0;
  for (int64_t t = 0; t < table.taps; ++t) {
    const float weight = table.weight[place * table.taps + t];
    if (weight == 0) continue;
    wanted[taps] = base + table.index[place * table.taps + t] * args.strides[args.kept_axis];
    weights[taps++] = weight;
  }
  const float* rows[kMaxKeptRows];
  for (int64_t t = 0; t < taps; ++t) {
    bool fresh = false;
    const int64_t slot = kept.SlotOf(wanted[t], wanted, taps, &fresh);
    if (fresh) ResampleRow(args.tables[last], x + wanted[t], args.out[last], args.inner, kept.Row(slot));
    rows[t] = kept.Row(slot);
  }
  if (taps == 0) {
    for (int64_t i = 0; i < out_row; ++i) y[i] = 0;
  } else {
    BlendRows(rows, weights, taps, true, out_row, y);
  }
}

inline void ResizeRows(const ResizeArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                       int64_t end, std::byte* scratch) {
  const int last = args.rank - 1;
  const ResizeTable& columns = args.tables[last];
  const int64_t out_row = args.out[last] * args.inner;
  int64_t last_base = -1;
  KeptRows kept;
  kept.rows = reinterpret_cast<float*>(scratch);
  kept.stride = RoundUp(out_row, 16);
  for (int64_t row = begin; row < end; ++row) {
    int64_t at[kMaxResizeRank];
    int64_t combinations = 1, base = 0, rest = row;
    for (int d = last - 1; d >= 0; --d) {
      at[d] = rest % args.out[d];
      rest /= args.out[d];
      if (args.tables[d].identity) {
        base += at[d] * args.strides[d];
      } else {
        combinations *= args.tables[d].taps;
      }
    }
    if (args.copies) {
      for (int d = 0; d < last; ++d) {
        if (!args.tables[d].identity) base += args.tables[d].index[at[d]] * args.strides[d];
      }
      if (base == last_base) {  // the row before again
        const size_t bytes = static_cast<size_t>(out_row) * static_cast<size_t>(args.element);
        std::byte* to = static_cast<std::byte*>(outputs[0]) + static_cast<size_t>(row) * bytes;
        __builtin_memcpy(to, to - bytes, bytes);
      } else {
        CopyNearestRow(args, inputs[0], base, outputs[0], row);
      }
      last_base = base;
      continue;
    }
    const float* x = static_cast<const float*>(inputs[0]);
    float* y = static_cast<float*>(outputs[0]) + row * out_row;
    if (args.kept_axis >= 0) {
      BlendKeptRow(args, x, base, at[args.kept_axis], kept, y);
      continue;
    }
    float* sum = columns.identity ? y : reinterpret_cast<float*>(scratch);
    bool first = true;
    const float* rows[4];
    float weights[4];
    int64_t taps = 0;
    for (int64_t c = 0; c < combinations; ++c) {
      int64_t from = base, choice = c;
      float weight = 1;
      for (int d = last - 1; d >= 0; --d) {
        const ResizeTable& table = args.tables[d];
        if (table.identity) continue;
        const int64_t tap = at[d] * table.taps + choice % table.taps;
        choice /= table.taps;
        from += table.index[tap] * args.strides[d];
        weight *= table.weight[tap];
      }
      const bool end = c + 1 == combinations;
      if (weight != 0 || (end && first && taps == 0)) {
        rows[taps] = x + from;
        weights[taps++] = weight;
      }
      if (taps == 4 || (end && taps > 0)) {
        BlendRows(rows, weights, taps, first, args.in_row, sum);
        first = false;
        taps = 0;
      }
    }
    if (!columns.identity) ResampleRow(columns, sum, args.out[last], args.inner, y);
  }
}

}  // namespace
}  // namespace tamis
