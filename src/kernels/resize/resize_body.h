// The body of Resize for the ISA of the including file.
#pragma once

#include "src/kernels/resize/resize.h"
#include "src/kernels/vec.h"

namespace tamis {
namespace {

template <class T>
inline void PickRow(const ResizeTable& table, const T* x, int64_t in_row, int64_t out_row, T* y) {
  if (table.identity) {
    __builtin_memcpy(y, x, static_cast<size_t>(in_row) * sizeof(T));
  } else {
    for (int64_t i = 0; i < out_row; ++i) y[i] = x[table.index[i]];
  }
}

inline void CopyNearestRow(const ResizeArgs& args, const void* input, int64_t from, void* output, int64_t row) {
  const ResizeTable& table = args.tables[args.rank - 1];
  const int64_t out_row = args.out[args.rank - 1], to = row * out_row;
  switch (args.element) {
    case 1:
      return PickRow(table, static_cast<const uint8_t*>(input) + from, args.in_row, out_row,
                     static_cast<uint8_t*>(output) + to);
    case 2:
      return PickRow(table, static_cast<const uint16_t*>(input) + from, args.in_row, out_row,
                     static_cast<uint16_t*>(output) + to);
    case 4:
      return PickRow(table, static_cast<const uint32_t*>(input) + from, args.in_row, out_row,
                     static_cast<uint32_t*>(output) + to);
    default:
      return PickRow(table, static_cast<const uint64_t*>(input) + from, args.in_row, out_row,
                     static_cast<uint64_t*>(output) + to);
  }
}

inline void AddRow(const float* x, float weight, bool first, int64_t n, float* sum) {
  const Vec w = Set(weight);
  if (first) {
    Map(x, sum, n, [&](Vec v) { return v * w; });
  } else {
    ForVectors(
        n, [&](int64_t i) { Store(sum + i, Fma(Load(x + i), w, Load(sum + i))); },
        [&](int64_t i, int rest) { StorePart(sum + i, Fma(LoadPart(x + i, rest), w, LoadPart(sum + i, rest)), rest); });
  }
}

inline void ResampleRow(const ResizeTable& table, const float* x, int64_t out_row, float* y) {
  const int64_t taps = table.taps;
  const int64_t* index = table.index;
  const float* weight = table.weight;
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

inline void ResizeRows(const ResizeArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                       int64_t end, std::byte* scratch) {
  const int last = args.rank - 1;
  const ResizeTable& columns = args.tables[last];
  const int64_t out_row = args.out[last];
  int64_t last_base = -1;
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
    float* sum = columns.identity ? y : reinterpret_cast<float*>(scratch);
    bool first = true;
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
      if (weight == 0 && !(first && c + 1 == combinations)) continue;
      AddRow(x + from, weight, first, args.in_row, sum);
      first = false;
    }
    if (!columns.identity) ResampleRow(columns, sum, out_row, y);
  }
}

}  // namespace
}  // namespace tamis
