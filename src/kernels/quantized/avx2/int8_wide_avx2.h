// The dense int8 routine of AVX2 without VNNI, where vpmaddubsw would saturate: products of 16 bits. A tile's bytes of
// x are widened once for all outputs of a panel, and each number that is read back serves two vectors of them: two
// multiplications and two additions are left for four products a lane. Included by the kernel; everything here is in
// its anonymous namespace.
#pragma once

#include "src/kernels/quantized/avx2/int8_tile_avx2.h"

namespace tamis {
namespace {

constexpr int kWideRows = 4;          // with two vectors of outputs: eight sums and four weights of sixteen registers
constexpr int64_t kWideSteps = 256;   // that are widened at a time: 8 KB
constexpr int64_t kWideBytes = 8;     // of a row's step: its even bytes, then its odd ones, as numbers of 16 bits
constexpr int kEvenBytes = 0xff00ff;  // of 32 bits

// `steps` steps of a row to every kRows-th place from `to` on.
template <int kRows>
inline void WidenRow(const uint8_t* x, int64_t steps, std::byte* to) {
  constexpr int64_t kNext = kRows * kWideBytes;
  int64_t s = 0;
  for (; s + 4 <= steps; s += 4, x += 16, to += 4 * kNext) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    const __m128i even = _mm_and_si128(bytes, _mm_set1_epi32(kEvenBytes)), odd = _mm_srli_epi16(bytes, 8);
    const __m128i first = _mm_unpacklo_epi32(even, odd), second = _mm_unpackhi_epi32(even, odd);
    const auto at = [&](int step) { return reinterpret_cast<__m128i*>(to + step * kNext); };
    _mm_storel_epi64(at(0), first);
    _mm_storel_epi64(at(1), _mm_unpackhi_epi64(first, first));
    _mm_storel_epi64(at(2), second);
    _mm_storel_epi64(at(3), _mm_unpackhi_epi64(second, second));
  }
  for (; s < steps; ++s, x += 4, to += kNext) {
    uint32_t bytes;
    std::memcpy(&bytes, x, sizeof(bytes));
    const uint32_t numbers[] = {bytes & kEvenBytes, bytes >> 8 & kEvenBytes};
    std::memcpy(to, numbers, sizeof(numbers));
  }
}

inline __m256i Broadcast(const std::byte* from) {
  int numbers;
  std::memcpy(&numbers, from, sizeof(numbers));
  return _mm256_set1_epi32(numbers);
}

// Sums of kVectors * 8 lanes and `steps` steps, [kRows][kLanes]; x is [step][row]. Row r begins with what lies at
// start + r * start_pitch.
template <int kVectors, int kRows>
[[gnu::noinline]] void WideTile(const std::byte* x, const int8_t* values, int64_t steps, const int32_t* start,
                                int64_t start_pitch, int32_t* sums) {
  __m256i acc[kRows][kVectors];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      acc[r][v] = _mm256_load_si256(reinterpret_cast<const __m256i*>(start + r * start_pitch) + v);
    }
  }
  for (int64_t s = 0; s < steps; ++s) {
    WideDot::Weight weight[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      weight[v] = WideDot::Prepare(_mm256_load_si256(reinterpret_cast<const __m256i*>(values) + v));
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const __m256i even = Broadcast(x + r * kWideBytes);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(even, weight[v].even));
      }
      const __m256i odd = Broadcast(x + r * kWideBytes + 4);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(odd, weight[v].odd));
      }
    }
    x += kRows * kWideBytes;
    values += kLanes * 4;
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(sums + r * kLanes) + v, acc[r][v]);
    }
  }
}

// Sums of kRows rows from `row` on, [kRows][kLanes].
template <int kRows>
void WideSums(const Int8Task& task, int64_t row, int32_t* sums) {
  alignas(64) std::byte widened[kRows * kWideSteps * kWideBytes];
  const uint8_t* const x = task.x + row * task.x_pitch;
  const int8_t* values = task.values;
  int64_t tap = 0, step = 0;
  const int32_t* start = task.start;
  int64_t start_pitch = 0;
  do {  // once even where all taps lie in the padding
    int64_t steps = 0;
    while (tap < task.tap_count && steps < kWideSteps) {
      const int64_t some = std::min(task.tap_steps - step, kWideSteps - steps);
      for (int r = 0; r < kRows; ++r) {
        WidenRow<kRows>(x + r * task.x_pitch + task.taps[tap] + step * 4, some,
                        widened + (steps * kRows + r) * kWideBytes);
      }
      steps += some;
      step += some;
      if (step == task.tap_steps) {
        step = 0;
        ++tap;
      }
    }
    for (int lane = 0; lane < task.lanes; lane += 16) {
      const auto tile = task.lanes - lane > 8 ? WideTile<2, kRows> : WideTile<1, kRows>;
      tile(widened, values + lane * 4, steps, start + lane, start_pitch, sums + lane);
    }
    values += steps * kLanes * 4;
    start = sums;
    start_pitch = kLanes;
  } while (tap < task.tap_count);
}

template <size_t... kIndex>
constexpr auto WideSumsOf(std::index_sequence<kIndex...> /*rows*/) {
  return std::array{WideSums<static_cast<int>(kIndex) + 1>...};
}

void RunWideTiles(const Int8Task& task) {
  static constexpr auto kSums = WideSumsOf(std::make_index_sequence<kWideRows>());
  ForTiles<kWideRows>(
      task, [&task](int64_t row, int rows, int32_t* sums) { kSums[static_cast<size_t>(rows - 1)](task, row, sums); });
}

}  // namespace
}  // namespace tamis
