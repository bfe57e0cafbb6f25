// From the sums of a tile to y: scale, bias, activation, requantisation, table. Included by the int8 kernels of this
// folder; everything here is in their anonymous namespaces.
//
// Codes whose activation is only a bound, as good as all of them, go a fast way: scales and biases are divided by y's
// scale once a tile, sixteen sums then take a conversion, a multiply-add, a bound and a conversion back, and the rest
// (zero point, bounds, table) is done on 64 codes at once: two rows of 32 outputs.
#pragma once

#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/quantized/int8_panel.h"

namespace tamis {
namespace {

// The sums of sixteen outputs, the first or second half of a panel, where `order` may tell their lanes.
inline __m512i SumsOf(const int32_t* sums, int half, const int32_t* order) {
  if (order == nullptr) return _mm512_load_si512(sums + half * 16);
  const __m512i lanes = _mm512_load_si512(order + half * 16);
  return _mm512_permutex2var_epi32(_mm512_load_si512(sums), lanes, _mm512_load_si512(sums + 16));
}

// Sixteen values less than 2^16 in magnitude after division by the scale, as codes.
inline void StoreCodes(void* y, __mmask16 mask, __m512 v, const QuantizedResult& result, __m512 inverse) {
  const __m512 limit = _mm512_set1_ps(65536);
  const __m512 bounded =
      _mm512_min_ps(_mm512_max_ps(_mm512_mul_ps(v, inverse), _mm512_sub_ps(_mm512_setzero_ps(), limit)), limit);
  const __m512i code =
      _mm512_add_epi32(_mm512_cvtps_epi32(bounded), _mm512_set1_epi32(static_cast<int>(result.y_zero)));
  if (result.dtype == DType::kUInt8) {
    // The narrowing takes its source as unsigned.
    _mm512_mask_cvtusepi32_storeu_epi8(y, mask, _mm512_max_epi32(code, _mm512_setzero_si512()));
  } else {
    _mm512_mask_cvtsepi32_storeu_epi8(y, mask, code);
  }
}

// Sixteen values of the residual.
inline __m512 LoadResidual(const void* residual, int64_t at, __mmask16 mask, const QuantizedResult& result) {
  if (result.residual_type == CodeType::kFloat32) {
    return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(residual) + at);
  }
  const __m128i codes = _mm_maskz_loadu_epi8(mask, static_cast<const int8_t*>(residual) + at);
  const __m512i wide =
      result.residual_type == CodeType::kUInt8 ? _mm512_cvtepu8_epi32(codes) : _mm512_cvtepi8_epi32(codes);
  const __m512 centred = _mm512_sub_ps(_mm512_cvtepi32_ps(wide), _mm512_set1_ps(result.residual_zero));
  return _mm512_mul_ps(centred, _mm512_set1_ps(result.residual_scale));
}

template <Activation kActivation>
void StoreRows(const Int8Task& task, int64_t first_row, int rows, const int32_t* sums) {
  GeluRegisters gelu;
  if constexpr (kActivation == Activation::kGelu) gelu = LoadGelu();
  const QuantizedResult result = *task.result;
  const __m512 inverse = _mm512_set1_ps(1.0F / result.y_scale);
  const int64_t pitch = task.y_pitch;
  void* const y = task.y;
  const bool f32 = result.dtype == DType::kFloat32;
  const int32_t* const order = task.order;
  for (int half = 0; half * 16 < task.lanes; ++half) {
    const __mmask16 mask = MaskOfLanes(task.lanes - half * 16);
    const __m512 bias = task.bias != nullptr ? _mm512_maskz_loadu_ps(mask, task.bias + half * 16) : _mm512_setzero_ps();
    const __m512 scale =
        _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, task.scale + half * 16), _mm512_set1_ps(task.factor));
    for (int r = 0; r < rows; ++r) {
      const int64_t at = (first_row + r) * pitch + half * 16;
      const __m512 sum = _mm512_cvtepi32_ps(SumsOf(sums + r * PackedInt8::kLanes, half, order));
      __m512 x = _mm512_fmadd_ps(sum, scale, bias);
      if (task.residual != nullptr) x = _mm512_add_ps(x, LoadResidual(task.residual, at, mask, result));
      const __m512 v = Activate<kActivation>(x, result.activation, gelu);
      if (f32) {
        _mm512_mask_storeu_ps(static_cast<float*>(y) + at, mask, v);
      } else {
        StoreCodes(static_cast<uint8_t*>(y) + at, mask, v, result, inverse);
      }
    }
  }
}

// Sixteen sums of one half of the lanes on their way to codes, still whole numbers of 32 bits.
struct ScaledHalf {
  __mmask16 mask;
  __m512 scale, bias;  // both over y's scale

  ScaledHalf(const Int8Task& task, int half, float inverse) {
    mask = MaskOfLanes(task.lanes - half * 16);
    scale = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, task.scale + half * 16), _mm512_set1_ps(task.factor * inverse));
    bias = _mm512_setzero_ps();
    if (task.bias != nullptr) {
      bias = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, task.bias + half * 16), _mm512_set1_ps(inverse));
    }
  }
};

// What a residual adds, over y's scale: factor * code, the zero point being part of the bias.
struct ScaledResidual {
  const void* data;
  CodeType type;
  __m512 factor;

  __m512 Add(__m512 v, int64_t at, __mmask16 mask) const {
    if (type == CodeType::kFloat32) {
      return _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, static_cast<const float*>(data) + at), factor, v);
    }
    const __m128i codes = _mm_maskz_loadu_epi8(mask, static_cast<const int8_t*>(data) + at);
    const __m512i wide = type == CodeType::kUInt8 ? _mm512_cvtepu8_epi32(codes) : _mm512_cvtepi8_epi32(codes);
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(wide), factor, v);
  }
};

// `exchange` is what the table does to 64 codes.
template <bool kResidual, class Exchange>
inline void StoreCodeRows(const Int8Task& task, int64_t first_row, int rows, const int32_t* sums,
                          const Exchange& exchange) {
  const QuantizedResult& result = *task.result;
  const float inverse = 1.0F / result.y_scale;
  ScaledHalf halves[2] = {ScaledHalf(task, 0, inverse), ScaledHalf(task, 1, inverse)};
  ScaledResidual residual{};
  if constexpr (kResidual) {
    const float factor = result.residual_scale * inverse;
    residual = {task.residual, result.residual_type, _mm512_set1_ps(factor)};
    for (ScaledHalf& half : halves) {
      half.bias = _mm512_sub_ps(half.bias, _mm512_set1_ps(factor * result.residual_zero));
    }
  }
  // Too large a number would convert to the lowest integer, which is right for too small ones and NaNs.
  const __m512 limit = _mm512_set1_ps(1e9F);
  const bool is_unsigned = result.dtype == DType::kUInt8;
  const __m512i zero = _mm512_set1_epi16(static_cast<int16_t>(result.y_zero));
  const __m512i lowest = _mm512_set1_epi8(static_cast<char>(result.lowest));
  const __m512i highest = _mm512_set1_epi8(static_cast<char>(result.highest));
  // Packing interleaves fours of the two halves of two rows.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __mmask32 mask = task.lanes >= 32 ? ~__mmask32{0} : (__mmask32{1} << task.lanes) - 1;
  const int64_t pitch = task.y_pitch;
  auto* const y = static_cast<uint8_t*>(task.y);
  const int32_t* const lanes = task.order;
  const auto row_codes = [&](int r) __attribute__((always_inline)) {
    __m512i wide[2];
    for (int half = 0; half < 2; ++half) {
      const __m512 sum = _mm512_cvtepi32_ps(SumsOf(sums + r * PackedInt8::kLanes, half, lanes));
      __m512 v = _mm512_fmadd_ps(sum, halves[half].scale, halves[half].bias);
      if constexpr (kResidual) v = residual.Add(v, (first_row + r) * pitch + half * 16, halves[half].mask);
      wide[half] = _mm512_cvtps_epi32(_mm512_min_ps(limit, v));
    }
    return _mm512_adds_epi16(_mm512_packs_epi32(wide[0], wide[1]), zero);
  };
  for (int r = 0; r < rows; r += 2) {
    const __m512i first = row_codes(r);
    const __m512i second = r + 1 < rows ? row_codes(r + 1) : first;
    __m512i codes = is_unsigned ? _mm512_packus_epi16(first, second) : _mm512_packs_epi16(first, second);
    codes = _mm512_permutexvar_epi32(order, codes);
    codes = is_unsigned ? _mm512_min_epu8(_mm512_max_epu8(codes, lowest), highest)
                        : _mm512_min_epi8(_mm512_max_epi8(codes, lowest), highest);
    codes = exchange(codes);
    uint8_t* const at = y + (first_row + r) * pitch;
    _mm256_mask_storeu_epi8(at, mask, _mm512_castsi512_si256(codes));
    if (r + 1 < rows) _mm256_mask_storeu_epi8(at + pitch, mask, _mm512_extracti64x4_epi64(codes, 1));
  }
}

template <class Exchange>
inline void StoreCodeTile(const Int8Task& task, int64_t first_row, int rows, const int32_t* sums,
                          const Exchange& exchange) {
  if (task.residual != nullptr) {
    StoreCodeRows<true>(task, first_row, rows, sums, exchange);
  } else {
    StoreCodeRows<false>(task, first_row, rows, sums, exchange);
  }
}

// Any activation and result.
inline void StoreAnyTile(const Int8Task& task, int64_t first_row, int rows, const int32_t* sums) {
  WithActivation(task.result->activation.activation,
                 [&](auto activation) { StoreRows<activation>(task, first_row, rows, sums); });
}

// Writes rows [first_row, first_row + rows) of y from their sums, [rows][PackedInt8::kLanes].
inline void StoreTile(const Int8Task& task, int64_t first_row, int rows, const int32_t* sums) {
  const QuantizedResult& result = *task.result;
  const bool table = result.table != nullptr;
  if (result.bounds_only && table && task.exchange_tile != nullptr) {
    return task.exchange_tile(task, first_row, rows, sums);
  }
  if (result.bounds_only) {
    StoreCodeTile(task, first_row, rows, sums, [](__m512i codes) { return codes; });
  } else {
    StoreAnyTile(task, first_row, rows, sums);
  }
  for (int r = 0; table && r < rows; ++r) {
    result.Exchange(static_cast<uint8_t*>(task.y) + (first_row + r) * task.y_pitch, task.lanes);
  }
}

}  // namespace
}  // namespace tamis
