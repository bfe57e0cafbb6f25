// The multiplication of the column routines, for any vector type `V`: V::Reg, V::kLanes, Load, Store, Set1, Fma, Zero;
// kMostVectors of rows; kEnoughSums to hide the multiply-add's latency; InRegister keeps a compiler from loading a
// value anew for every use. Included by files of the ISA folders; everything here is in their anonymous namespaces.
#pragma once

#include "src/kernels/gemm/columns.h"

namespace tamis {
namespace {

// kUnits units of kWidth outputs at a time, kVectors vectors of rows each: enough sums to hide the multiply-add's
// latency.
template <class V, int kVectors, int kWidth, int kUnits, class T>
[[gnu::noinline]] void MultiplyUnits(const ColumnsTask& task, int64_t first_unit) {
  constexpr int64_t kPitch = kVectors * V::kLanes;
  constexpr uint64_t kRowBytes = kPitch * sizeof(float);
  typename V::Reg acc[kUnits][kWidth][kVectors];
  float* sums[kUnits][kWidth];
#pragma GCC unroll 16
  for (int u = 0; u < kUnits; ++u) {
#pragma GCC unroll 2
    for (int w = 0; w < kWidth; ++w) {
      sums[u][w] = task.sums + task.outputs[(first_unit + u) * kWidth + w] * kPitch;
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) acc[u][w][v] = task.first ? V::Zero() : V::Load(sums[u][w] + v * V::kLanes);
    }
  }
  const auto* x = reinterpret_cast<const char*>(task.x);
  for (int64_t block = 0; block < task.blocks; ++block) {
    constexpr int64_t kBlockOctets = PackedColumns::kBlock / 8;
    const int64_t octets = block + 1 < task.blocks ? kBlockOctets : task.last_octets;
    const uint8_t* codes = task.codes[static_cast<size_t>(block)] + first_unit * octets;
    const T* values =
        reinterpret_cast<const T*>(task.values[static_cast<size_t>(block)]) + first_unit * octets * 4 * kWidth;
    // bf16 values are widened once for all vectors.
    alignas(64) float widened[kUnits * kBlockOctets * 4 * kWidth];
    const float* w32 = nullptr;
    // The weights are a short stream for each block; some units ahead, they come from further away in time.
    constexpr int64_t kAhead = 12 / kWidth;
    __builtin_prefetch(values + kAhead * octets * 4 * kWidth);
    if constexpr (kWidth * kUnits * sizeof(T) > 4)
      __builtin_prefetch(values + kAhead * octets * 4 * kWidth + 64 / sizeof(T));
    __builtin_prefetch(codes + 64);
    if constexpr (sizeof(T) == 2) {
      for (int64_t i = 0; i < kUnits * octets * 4 * kWidth; i += V::kLanes)
        V::Store(widened + i, V::LoadBf16(values + i));
      w32 = widened;
    } else {
      w32 = values;
    }
    for (int64_t octet = 0; octet < octets; ++octet) {
#pragma GCC unroll 16
      for (int u = 0; u < kUnits; ++u) {
        // Addresses are computed: loads are what this loop is short of, and a table of offsets would cost a tenth.
        const uint64_t code = codes[u * octets + octet];
        const float* weights = w32 + (u * octets + octet) * 4 * kWidth;
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; ++i) {
          const uint64_t position = (code >> (2 * i) & 3) + i / 2 * 4;
          const auto* from = reinterpret_cast<const float*>(x + position * kRowBytes);
          typename V::Reg weight[kWidth];
#pragma GCC unroll 2
          for (int w = 0; w < kWidth; ++w) weight[w] = V::Set1(weights[i * kWidth + static_cast<size_t>(w)]);
#pragma GCC unroll 16
          for (int v = 0; v < kVectors; ++v) {
            typename V::Reg rows = V::Load(from + v * V::kLanes);
            if constexpr (kWidth > 1) rows = V::InRegister(rows);
#pragma GCC unroll 2
            for (int w = 0; w < kWidth; ++w) acc[u][w][v] = V::Fma(weight[w], rows, acc[u][w][v]);
          }
        }
      }
      x += 8 * kPitch * static_cast<int64_t>(sizeof(float));
    }
  }
#pragma GCC unroll 16
  for (int u = 0; u < kUnits; ++u) {
#pragma GCC unroll 2
    for (int w = 0; w < kWidth; ++w) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) V::Store(sums[u][w] + v * V::kLanes, acc[u][w][v]);
    }
  }
}

template <class V, int kVectors, int kWidth, class T>
void MultiplySection(const ColumnsTask& task) {
  constexpr int kSums = kVectors * kWidth;
  constexpr int kUnits = kSums >= V::kEnoughSums ? 1 : kSums * 2 >= V::kEnoughSums ? 2 : 4;
  int64_t unit = 0;
  for (; unit + kUnits <= task.units; unit += kUnits) MultiplyUnits<V, kVectors, kWidth, kUnits, T>(task, unit);
  for (; unit < task.units; ++unit) MultiplyUnits<V, kVectors, kWidth, 1, T>(task, unit);
}

template <class V, int kVectors>
void MultiplyVectors(const ColumnsTask& task) {
  if (task.width == 2) {
    task.bf16 ? MultiplySection<V, kVectors, 2, uint16_t>(task) : MultiplySection<V, kVectors, 2, float>(task);
  } else {
    task.bf16 ? MultiplySection<V, kVectors, 1, uint16_t>(task) : MultiplySection<V, kVectors, 1, float>(task);
  }
}

// As many vectors as the task has, from kVectors down.
template <class V, int kVectors>
void MultiplyUpTo(const ColumnsTask& task) {
  if constexpr (kVectors > 1) {
    if (task.vectors < kVectors) return MultiplyUpTo<V, kVectors - 1>(task);
  }
  MultiplyVectors<V, kVectors>(task);
}

template <class V>
void MultiplyColumns(const ColumnsTask& task) {
  MultiplyUpTo<V, V::kMostVectors>(task);
}

}  // namespace
}  // namespace tamis
