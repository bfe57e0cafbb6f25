// From the sums of a tile, in the registers that they were summed in, to codes: scale, bias, residual, bounds, table.
// And from sums in memory likewise with GELU, whose constants would leave no registers for the sums.
//
// A store of 64 bytes takes two cycles in which nothing is multiplied, so sums don't go through memory. Scales and
// biases are divided by y's scale once a panel; sixteen sums then take a conversion, a multiply-add and a conversion
// back, and the rest (zero point, bounds, table, the way from lanes to outputs) is done on 64 codes at once: two rows
// of 32.
#pragma once

#include <immintrin.h>

#include <cstring>
#include <new>

#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/quantized/avx512/code_gelu_avx512.h"
#include "src/kernels/quantized/int8_panel.h"
#if defined(__AVX512VBMI__)
#include "src/kernels/quantized/table_vbmi.h"
#endif

namespace tamis {
namespace {

// What is the same for all rows of a panel. Kept in Int8Task::state.
class CodeStore {
 public:
#if defined(__AVX512VBMI__)
  static constexpr bool kBytes = true;  // bytes can be permuted: lanes are put in order behind the packing
#else
  static constexpr bool kBytes = false;
#endif

  // Codes whose activation is only a bound, as good as all of them. A table that can't be exchanged in registers is
  // left to the caller.
  static bool Serves(const Int8Task& task) {
    return task.result->bounds_only;
  }
  static bool ServesGelu(const Int8Task& task) {
    const QuantizedResult& result = *task.result;
    return result.activation.activation == Activation::kGelu && result.dtype != DType::kFloat32 &&
           result.y_scale >= CodeGelu::kLeastStep;
  }
  static bool LeavesTable(const Int8Task& task) {
    return task.result->table != nullptr && !kBytes;
  }

  static void Begin(Int8Task& task) {
    static_assert(sizeof(CodeStore) <= sizeof(task.state));
    if (Serves(task) || ServesGelu(task)) new (task.state) CodeStore(task);
  }
  // Of a task that it serves.
  static const CodeStore& Of(const Int8Task& task) {
    return *std::launder(reinterpret_cast<const CodeStore*>(task.state));
  }

  // Rows [first_row, first_row + kRows) of y.
  template <int kRows>
  __attribute__((always_inline)) void Write(const Int8Task& task, int64_t first_row,
                                            const __m512i (&sums)[kRows][2]) const;
  // Where it serves GELU: the rows of `sums`, [rows][32].
  void WriteGelu(const Int8Task& task, int64_t first_row, int rows, const int32_t* sums) const;

 private:
  static constexpr float kLimit = 1e9F;

  explicit CodeStore(const Int8Task& task);

  struct ResidualRows;
  template <bool kResidual, bool kGelu>
  struct PairWriter;

  // Over y's scale, but for GELU, which takes numbers as they are.
  __m512 scale_[2], bias_[2];  // by lane (by output if !kBytes)
  __m512 factor_;              // of the residual; its zero point is part of the bias
  __m512i lanes_[2];           // by output: its lane
  __m512i outputs_[2];         // by lane: its output
  __m512i from_bytes_[2];      // by lane: the byte of the residual's codes that is its lowest, or highest if signed
  __m512i order_;              // of packed codes
  __m512i zero_, lowest_, highest_;
  __mmask32 mask_;
  bool moved_;    // lanes are not outputs
  bool bounded_;  // no sum can leave the integers once it is scaled
  bool is_unsigned_;
};

inline CodeStore::CodeStore(const Int8Task& task) {
  const QuantizedResult& result = *task.result;
  const float over_scale = 1.0F / result.y_scale, inverse = ServesGelu(task) ? 1.0F : over_scale;
  mask_ = task.lanes >= 32 ? ~__mmask32{0} : (__mmask32{1} << task.lanes) - 1;
  moved_ = task.order != nullptr;
  is_unsigned_ = result.dtype == DType::kUInt8;
  const float factor = result.residual_scale * inverse;
  factor_ = _mm512_set1_ps(factor);
  bounded_ = task.residual == nullptr || (result.residual_type != CodeType::kFloat32 &&
                                          __builtin_fabsf(result.residual_scale * over_scale) <= 1 << 20);
  for (int half = 0; half < 2; ++half) {
    const auto mask = static_cast<__mmask16>(mask_ >> (16 * half));
    scale_[half] =
        _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, task.scale + half * 16), _mm512_set1_ps(task.factor * inverse));
    bias_[half] = _mm512_setzero_ps();
    if (task.bias != nullptr) {
      bias_[half] = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, task.bias + half * 16), _mm512_set1_ps(inverse));
    }
    if (task.residual != nullptr) {
      bias_[half] = _mm512_sub_ps(bias_[half], _mm512_set1_ps(factor * result.residual_zero));
    }
    // Sums are below 2^31 in magnitude; NaNs are not less than anything.
    const __m512 rest = _mm512_set1_ps(over_scale / inverse);
    const auto below = [rest](__m512 v, float limit) {
      return _mm512_cmp_ps_mask(_mm512_abs_ps(_mm512_mul_ps(v, rest)), _mm512_set1_ps(limit), _CMP_LT_OQ) == 0xffff;
    };
    bounded_ = bounded_ && below(scale_[half], 0.25F) && below(bias_[half], 1 << 28);
  }
  zero_ = _mm512_set1_epi16(static_cast<int16_t>(result.y_zero));
  lowest_ = _mm512_set1_epi8(static_cast<char>(result.lowest));
  highest_ = _mm512_set1_epi8(static_cast<char>(result.highest));

  alignas(64) int32_t lane_of[32];
  alignas(64) int32_t output_of[32] = {};
  for (int32_t output = 0; output < 32; ++output) {
    lane_of[output] = moved_ ? task.order[output] : output;
    if (output < task.lanes) output_of[lane_of[output]] = output;
  }
  for (int half = 0; half < 2; ++half) {
    lanes_[half] = _mm512_load_si512(lane_of + half * 16);
    outputs_[half] = _mm512_load_si512(output_of + half * 16);
    from_bytes_[half] = outputs_[half];
    if (result.residual_type == CodeType::kInt8) from_bytes_[half] = _mm512_slli_epi32(from_bytes_[half], 24);
  }
  if constexpr (kBytes) {
    if (moved_) {
      const auto by_lane = [this](__m512(&values)[2]) {
        const __m512 low = values[0], high = values[1];
        for (int half = 0; half < 2; ++half) values[half] = _mm512_permutex2var_ps(low, outputs_[half], high);
      };
      by_lane(scale_);
      by_lane(bias_);
    }
    // Packing leaves lane l of the first of two rows at byte (l & 12) << 2 | l >> 4 << 2 | l & 3, of the second 8
    // behind.
    alignas(64) uint8_t order[64];
    for (int output = 0; output < 32; ++output) {
      const int32_t lane = lane_of[output];
      order[output] = static_cast<uint8_t>((lane & 12) << 2 | (lane >> 4 & 1) << 2 | (lane & 3));
      order[output + 32] = static_cast<uint8_t>(order[output] + 8);
    }
    order_ = _mm512_load_si512(order);
  } else {
    order_ = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);  // fours of codes
  }
}

// The residual's elements by lane (by output if !kBytes).
struct CodeStore::ResidualRows {
  ResidualRows(const CodeStore& store, const Int8Task& task)
      : data(task.residual), type(task.result->residual_type), factor(store.factor_), mask(store.mask_) {
    for (int half = 0; half < 2; ++half) {
      from[half] = type == CodeType::kFloat32 ? store.outputs_[half] : store.from_bytes_[half];
    }
    moved = store.moved_;
  }

  // Of the 32 from `at` on, one half's.
  __attribute__((always_inline)) __m512 Add(__m512 v, int64_t at, int half) const {
    if (type == CodeType::kFloat32) {
      const float* values = static_cast<const float*>(data) + at;
      const auto load = [&](int part) {
        return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> (16 * part)), values + part * 16);
      };
      const bool exchanged = kBytes && moved;
      return _mm512_fmadd_ps(exchanged ? _mm512_permutex2var_ps(load(0), from[half], load(1)) : load(half), factor, v);
    }
    const auto* codes = static_cast<const uint8_t*>(data) + at;
#if defined(__AVX512VBMI__)
    const __m512i all = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(mask, codes));
    const __m512i wide =
        type == CodeType::kUInt8
            ? _mm512_maskz_permutexvar_epi8(0x1111111111111111, from[half], all)
            : _mm512_srai_epi32(_mm512_maskz_permutexvar_epi8(0x8888888888888888, from[half], all), 24);
#else
    const __m128i some = _mm_maskz_loadu_epi8(static_cast<__mmask16>(mask >> (16 * half)), codes + half * 16);
    const __m512i wide = type == CodeType::kUInt8 ? _mm512_cvtepu8_epi32(some) : _mm512_cvtepi8_epi32(some);
#endif
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(wide), factor, v);
  }

  const void* data;
  CodeType type;
  __m512 factor;
  __m512i from[2];
  __mmask32 mask;
  bool moved;
};

// Pairs of rows of a task. What a store to y might alias is held in a local of this type, or every pair would load all
// of it again.
template <bool kResidual, bool kGelu>
struct CodeStore::PairWriter {
  __attribute__((always_inline)) PairWriter(const CodeStore& store, const Int8Task& task)
      : scale{store.scale_[0], store.scale_[1]},
        bias{store.bias_[0], store.bias_[1]},
        lanes{store.lanes_[0], store.lanes_[1]},
        order(store.order_),
        zero(store.zero_),
        lowest(store.lowest_),
        highest(store.highest_),
        mask(store.mask_),
        moved(store.moved_),
        bounded(store.bounded_),
        is_unsigned(store.is_unsigned_),
        residual(store, task),
        pitch(task.y_pitch),
        y(static_cast<uint8_t*>(task.y)) {
#if defined(__AVX512VBMI__)
    table = task.result->table.get();
#endif
    if constexpr (kGelu) gelu = CodeGelu(1.0F / task.result->y_scale);
  }

  // Rows that lie `at` elements behind y, and one pitch further if there are `two`.
  __attribute__((always_inline)) void Write(int64_t at, const __m512i (&first)[2], const __m512i (&second)[2],
                                            bool two) const {
    const __m512i upper = Wide(at, first), lower = two ? Wide(at + pitch, second) : upper;
    __m512i codes = is_unsigned ? _mm512_packus_epi16(upper, lower) : _mm512_packs_epi16(upper, lower);
#if defined(__AVX512VBMI__)
    codes = _mm512_permutexvar_epi8(order, codes);
#else
    codes = _mm512_permutexvar_epi32(order, codes);
#endif
    codes = is_unsigned ? _mm512_min_epu8(_mm512_max_epu8(codes, lowest), highest)
                        : _mm512_min_epi8(_mm512_max_epi8(codes, lowest), highest);
#if defined(__AVX512VBMI__)
    if (table != nullptr) codes = TableVbmi(*table)(codes);
#endif
    _mm256_mask_storeu_epi8(y + at, mask, _mm512_castsi512_si256(codes));
    if (two) _mm256_mask_storeu_epi8(y + at + pitch, mask, _mm512_extracti64x4_epi64(codes, 1));
  }

  // A row's codes as 16-bit numbers, fours of the two halves in turns.
  __attribute__((always_inline)) __m512i Wide(int64_t at, const __m512i (&row)[2]) const {
    __m512i wide[2];
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const __m512i sum = !kBytes && moved ? _mm512_permutex2var_epi32(row[0], lanes[half], row[1]) : row[half];
      __m512 v = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale[half], bias[half]);
      if constexpr (kResidual) v = residual.Add(v, at, half);
      if constexpr (kGelu) v = gelu(v);
      // Too large a number would convert to the lowest integer, which is right for too small ones and NaNs.
      if (!bounded) v = _mm512_min_ps(_mm512_set1_ps(kLimit), v);
      wide[half] = _mm512_cvtps_epi32(v);
    }
    return _mm512_adds_epi16(_mm512_packs_epi32(wide[0], wide[1]), zero);
  }

  __m512 scale[2], bias[2];
  __m512i lanes[2], order, zero, lowest, highest;
  __mmask32 mask;
  bool moved, bounded, is_unsigned;
  ResidualRows residual;
  int64_t pitch;
  uint8_t* y;
#if defined(__AVX512VBMI__)
  const CodeTable* table;
#endif
  CodeGelu gelu;
};

template <int kRows>
inline void CodeStore::Write(const Int8Task& task, int64_t first_row, const __m512i (&sums)[kRows][2]) const {
  const auto write = [&](const auto& writer) __attribute__((always_inline)) {
    int64_t at = first_row * task.y_pitch;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r += 2, at += 2 * writer.pitch) {
      writer.Write(at, sums[r], sums[r + 1 < kRows ? r + 1 : r], r + 1 < kRows);
    }
  };
  if (task.residual != nullptr) {
    write(PairWriter<true, false>(*this, task));
  } else {
    write(PairWriter<false, false>(*this, task));
  }
}

inline void CodeStore::WriteGelu(const Int8Task& task, int64_t first_row, int rows, const int32_t* sums) const {
  const auto write = [&](const auto& writer) __attribute__((always_inline)) {
    int64_t at = first_row * task.y_pitch;
    for (int r = 0; r < rows; r += 2, at += 2 * writer.pitch) {
      const auto load = [&](int row, int half) {
        return _mm512_load_si512(sums + row * PackedInt8::kLanes + half * 16);
      };
      const bool two = r + 1 < rows;
      const __m512i first[2] = {load(r, 0), load(r, 1)};
      if (two) {
        const __m512i second[2] = {load(r + 1, 0), load(r + 1, 1)};
        writer.Write(at, first, second, true);
      } else {
        writer.Write(at, first, first, false);
      }
    }
  };
  if (task.residual != nullptr) {
    write(PairWriter<true, true>(*this, task));
  } else {
    write(PairWriter<false, true>(*this, task));
  }
}

}  // namespace
}  // namespace tamis
