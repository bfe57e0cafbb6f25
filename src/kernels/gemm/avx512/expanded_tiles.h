// 2:4 weights by tile registers: what is kept is spread to where a dense weight has it, a few steps ahead of its use,
// and multiplied with the zeros between. Products are no fewer for it, but 56 % (bf16) or 62.5 % (codes) of the bytes
// come from memory, which is what few rows wait for.
//
// A byte's place in a group of four inputs is looked up by the group's code, which has four bits: the table is one
// register, and one shuffle of bytes puts 16 lanes of a step together and zeros where nothing is kept. Counted for 16
// steps, a pair of tiles: 72 shuffles (of codes 80), one a cycle, beside four multiplications of 16 cycles at the most.
// Their dense 2 KB take 85 cycles from the second-level cache, some 200 from the third and 415 from memory (16 rows,
// 4096 x 4096).
//
// Included by files of the ISA folders; everything here is in their anonymous namespaces.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <array>

#include "src/kernels/gemm/avx512/amx_tiles.h"

namespace tamis {
namespace {

// By a group's code, the byte indices of a lane of its step. A packed unit is four bytes of a lane: in bf16 one group,
// the kept two elements of which go to two steps of two inputs; of codes two groups, of which each is a step.
template <TileType kType>
constexpr std::array<uint32_t, 16> ExpandingTable(int step) {
  constexpr uint32_t kZero = 0x80;
  std::array<uint32_t, 16> table = {};
  for (uint32_t code = 0; code < 16; ++code) {
    for (uint32_t byte = 0; byte < 4; ++byte) {
      const bool bf16 = kType == TileType::kBf16;
      const uint32_t position = bf16 ? 2 * static_cast<uint32_t>(step) + byte / 2 : byte;
      const uint32_t first = bf16 ? byte % 2 : 2 * static_cast<uint32_t>(step), second = first + (bf16 ? 2 : 1);
      const uint32_t index = (code & 3) == position ? first : (code >> 2) == position ? second : kZero;
      table[code] |= index << (8 * byte);
    }
  }
  return table;
}

// Weights of one panel as PackedPanels (bf16) and PackedInt8 lay them out. Has the members of StoredWeights.
template <TileType kType>
class ExpandedWeights {
 public:
  static constexpr int64_t kUnit = 2;  // steps of a packed unit

  // `steps`: of all taps, even.
  ExpandedWeights(const void* values, const uint8_t* codes, int64_t steps)
      : values_(static_cast<const std::byte*>(values)), codes_(codes), steps_(steps) {}

  const std::byte* At(int64_t step, int64_t count) {
    if (step != first_ || count != count_) Expand(step, count);
    return slots_[slot_];
  }
  // Spreads as many steps behind those of the last At, or what is left of them.
  void Follow() {
    const int64_t next = first_ + count_, count = std::min(count_, steps_ - next);
    if (count > 0) Expand(next, count);
  }

 private:
  static constexpr int64_t kValueBytes = 128;  // of a unit, 32 lanes of four bytes
  static constexpr int64_t kCodeBytes = kType == TileType::kBf16 ? 16 : 32;

  void Expand(int64_t step, int64_t count) {
    static constexpr std::array<uint32_t, 16> kTables[2] = {ExpandingTable<kType>(0), ExpandingTable<kType>(1)};
    const __m512i tables[2] = {_mm512_loadu_si512(kTables[0].data()), _mm512_loadu_si512(kTables[1].data())};
    // Shuffles stay within 16 bytes: each of the four lanes there has its own indices.
    const __m512i lanes = _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c));
    slot_ ^= 1;
    first_ = step;
    count_ = count;
    std::byte* to = slots_[slot_];
    const std::byte* values = values_ + step / kUnit * kValueBytes;
    const uint8_t* codes = codes_ + step / kUnit * kCodeBytes;
    for (int64_t ahead = 0; ahead < count / kUnit * kCodeBytes; ahead += 64) {
      _mm_prefetch(codes + kCodesAhead + ahead, _MM_HINT_T0);
    }
    for (int64_t unit = 0; unit < count / kUnit; ++unit) {
      PrefetchWeight(values, kValueBytes);
      const __m512i low = _mm512_load_si512(values), high = _mm512_load_si512(values + 64);
      __m512i code = Codes(codes);
      for (int s = 0; s < 2; ++s, to += kStepBytes) {
        if (s == 1 && kType == TileType::kCodes) code = Codes(codes + 16);
        const __m512i of_low = _mm512_or_si512(_mm512_permutexvar_epi32(code, tables[s]), lanes);
        const __m512i of_high = _mm512_or_si512(_mm512_permutexvar_epi32(_mm512_srli_epi32(code, 4), tables[s]), lanes);
        _mm512_store_si512(to, _mm512_shuffle_epi8(low, of_low));
        _mm512_store_si512(to + 64, _mm512_shuffle_epi8(high, of_high));
      }
      values += kValueBytes;
      codes += kCodeBytes;
    }
  }
  // Lanes 0 to 15 in bits 0 to 3, lanes 16 to 31 in bits 4 to 7: a permutation reads the lowest four.
  static __m512i Codes(const uint8_t* codes) {
    return _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(codes)));
  }

  static constexpr int64_t kCodesAhead = 512;  // bytes
  const std::byte* values_;
  const uint8_t* codes_;
  int64_t steps_;
  int64_t first_ = 0, count_ = 0;  // of what the slot holds
  int slot_ = 0;
  // Side by side: at a distance of 4 KiB, loads of one would wait for stores to the other.
  alignas(64) std::byte slots_[2][kTileSteps * kStepBytes];
};

}  // namespace
}  // namespace tamis
