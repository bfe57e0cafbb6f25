// From the sums of a tile in memory to y, whatever the activation and the result: scale, bias, activation,
// requantisation, table. Included by the int8 kernels of this folder; everything here is in their anonymous namespaces.
#pragma once

#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/quantized/avx512/code_store_avx512.h"
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

// Any activation and result.
inline void StoreAnyTile(const Int8Task& task, int64_t first_row, int rows, const int32_t* sums) {
  WithActivation(task.result->activation.activation,
                 [&](auto activation) { StoreRows<activation>(task, first_row, rows, sums); });
}

// Writes rows [first_row, first_row + rows) of y: all of them from their sums, [rows][PackedInt8::kLanes], or what
// CodeStore left to do where it has written them.
inline void FinishTile(const Int8Task& task, int64_t first_row, int rows, const int32_t* sums) {
  const bool gelu = CodeStore::ServesGelu(task), by_codes = gelu || CodeStore::Serves(task);
  if (gelu) CodeStore::Of(task).WriteGelu(task, first_row, rows, sums);
  if (!by_codes) StoreAnyTile(task, first_row, rows, sums);
  if (task.result->table == nullptr || (by_codes && !CodeStore::LeavesTable(task))) return;
  for (int r = 0; r < rows; ++r) {
    task.result->Exchange(static_cast<uint8_t*>(task.y) + (first_row + r) * task.y_pitch, task.lanes);
  }
}

}  // namespace
}  // namespace tamis
