// The int8 routine of AVX2: one vector of eight outputs and up to Dot::kTallest rows a tile. Included by the kernels of
// this folder; everything here is in their anonymous namespaces. `Dot` is how four products are added to a lane:
//   Dot::kTallest                    rows, enough sums to hide its latency, few enough for sixteen registers
//   Dot::Weight                      what becomes of eight lanes' weights, once for all rows
//   Dot::Prepare(__m256i) -> Weight
//   Dot::Add(acc, x, Weight)         x: four unsigned bytes a lane
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "src/kernels/quantized/avx2/code_rows_avx2.h"
#include "src/kernels/quantized/int8_panel.h"

namespace tamis {
namespace {

constexpr int64_t kLanes = PackedInt8::kLanes;

// Sixteen-bit products: vpmaddubsw, which takes bytes, would saturate.
struct WideDot {
  static constexpr int kTallest = 6;
  struct Weight {
    __m256i even, odd;
  };
  static Weight Prepare(__m256i w) { return {_mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8), _mm256_srai_epi16(w, 8)}; }
  static __m256i Add(__m256i acc, __m256i x, const Weight& w) {
    const __m256i even = _mm256_madd_epi16(_mm256_and_si256(x, _mm256_set1_epi16(0xff)), w.even);
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(x, 8), w.odd);
    return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
  }
};

// As quantized24_avx512 lays it out: a step's 64 bytes hold the indices of lanes 0 to 15, and in their high four bits
// those of lanes 16 to 31.
inline void WidenCodes(const uint8_t* codes, int64_t steps, std::byte* to) {
  for (int64_t s = 0; s < steps; ++s, codes += 32, to += 64) {
    for (int half = 0; half < 2; ++half) {
      const auto load = [&](int at) {
        return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + at + half * 8)));
      };
      const __m256i both = _mm256_or_si256(load(0), _mm256_slli_epi32(load(16), 16));
      const __m256i spread = _mm256_or_si256(both, _mm256_slli_epi32(both, 6));
      _mm256_store_si256(
          reinterpret_cast<__m256i*>(to) + half,
          _mm256_or_si256(_mm256_and_si256(spread, _mm256_set1_epi32(0x33333333)), _mm256_set1_epi32(0x44440000)));
    }
  }
}

// Lanes [8 * vector, 8 * vector + 8).
template <class Dot, bool kSparse, int kRows>
[[gnu::noinline]] void Tile(const Int8Task& task, int64_t row, int vector, int32_t* sums) {
  const int8_t* values = task.values + vector * 32;
  const std::byte* indices = task.widened + vector % 2 * 32;
  const __m128i shift = _mm_cvtsi32_si128(vector < 2 ? 0 : 4);
  const uint8_t* const rows = task.x + row * task.x_pitch;
  const int64_t pitch = task.x_pitch;
  __m256i acc[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r] = _mm256_load_si256(reinterpret_cast<const __m256i*>(task.start) + vector);
  for (int64_t tap = 0; tap < task.tap_count; ++tap) {
    const uint8_t* x = rows + task.taps[tap];
    for (int64_t s = 0; s < task.tap_steps; ++s) {
      const auto weight = Dot::Prepare(_mm256_load_si256(reinterpret_cast<const __m256i*>(values)));
      __m256i pick = _mm256_setzero_si256();
      if constexpr (kSparse) {
        pick = _mm256_srl_epi32(_mm256_load_si256(reinterpret_cast<const __m256i*>(indices)), shift);
        indices += 64;
      }
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        __m256i inputs;
        if constexpr (kSparse) {
          long long eight;  // NOLINT(google-runtime-int): the intrinsic's type
          std::memcpy(&eight, x + r * pitch, sizeof(eight));
          inputs = _mm256_shuffle_epi8(_mm256_set1_epi64x(eight), pick);
        } else {
          int four;
          std::memcpy(&four, x + r * pitch, sizeof(four));
          inputs = _mm256_set1_epi32(four);
        }
        acc[r] = Dot::Add(acc[r], inputs, weight);
      }
      x += kSparse ? 8 : 4;
      values += kLanes * 4;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(sums + r * kLanes) + vector, acc[r]);
  }
}

using TileFunction = void (*)(const Int8Task&, int64_t, int, int32_t*);
// [rows - 1]
template <class Dot, bool kSparse, size_t... kIndex>
constexpr std::array<TileFunction, sizeof...(kIndex)> TilesOf(std::index_sequence<kIndex...>) {
  return {Tile<Dot, kSparse, static_cast<int>(kIndex) + 1>...};
}

// Writes the rows of a task from their sums. What is the same for all of them is made once.
class RowWriter {
 public:
  explicit RowWriter(const Int8Task& task) : task_(task) {
    if (CodeRows::Serves(*task.result, task.lanes)) {
      store_.emplace(*task.result, task.scale, task.bias, task.factor, task.residual != nullptr);
    }
  }

  // Rows [row, row + rows) of y; `sums`, [rows][kLanes], are put in order first.
  void Write(int64_t row, int rows, int32_t* sums) const {
    for (int r = 0; r < rows; ++r, sums += kLanes) {
      if (task_.order != nullptr) PutInOrder(sums);
      const int64_t at = (row + r) * task_.y_pitch;
      if (store_) {
        store_->Write(sums, task_.residual, task_.y, at);
      } else {
        task_.result->Write({sums, task_.scale, task_.bias, task_.factor, task_.residual, task_.y, at, task_.lanes});
      }
    }
  }

 private:
  void PutInOrder(int32_t* sums) const {
    int32_t ordered[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) ordered[lane] = sums[task_.order[lane]];
    std::memcpy(sums, ordered, sizeof(ordered));
  }

  const Int8Task& task_;
  std::optional<CodeRows> store_;
};

// sums_of(row, rows, sums) for all rows of a task, at most kTallest at a time, whose results are then written.
template <int kTallest, class SumsOf>
inline void ForTiles(const Int8Task& task, const SumsOf& sums_of) {
  alignas(64) int32_t sums[kTallest * kLanes];
  const RowWriter writer(task);
  const int64_t tiles = (task.rows + kTallest - 1) / kTallest;
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t row = task.rows * i / tiles;
    const auto rows = static_cast<int>(task.rows * (i + 1) / tiles - row);
    sums_of(row, rows, sums);
    writer.Write(row, rows, sums);
  }
}

template <class Dot, bool kSparse>
void RunTiles(const Int8Task& task) {
  static constexpr auto kTiles = TilesOf<Dot, kSparse>(std::make_index_sequence<Dot::kTallest>());
  ForTiles<Dot::kTallest>(task, [&task](int64_t row, int rows, int32_t* sums) {
    const int vectors = task.order != nullptr ? 4 : (task.lanes + 7) / 8;
    for (int vector = 0; vector < vectors; ++vector) kTiles[static_cast<size_t>(rows - 1)](task, row, vector, sums);
  });
}

}  // namespace
}  // namespace tamis
