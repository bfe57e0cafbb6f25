// Linear with a 2:4 weight, rows across the lanes (src/kernels/gemm/columns.h), in f32 arithmetic: bf16 operands are
// widened on the way into the cache. It needs no shuffles, which cores with one 512-bit shuffle port have too few of.
#include <immintrin.h>

#include "src/kernels/gemm/avx512/columns_avx512.h"
#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/gemm/columns_body.h"
#include "src/kernels/transpose_fours_avx512.h"

namespace tamis {
namespace {

struct Vec {
  using Reg = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kMostVectors = 8;
  static constexpr int kEnoughSums = 8;
  static Reg Zero() { return _mm512_setzero_ps(); }
  static Reg Load(const float* from) { return _mm512_load_ps(from); }
  static Reg LoadBf16(const uint16_t* from) { return tamis::LoadBf16(from, 0xffff); }
  static void Store(float* to, Reg v) { _mm512_store_ps(to, v); }
  static Reg Set1(float v) { return _mm512_set1_ps(v); }
  static Reg InRegister(Reg v) {
    asm("" : "+v"(v));
    return v;
  }
  static Reg Fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
};

// Four inputs of sixteen rows, `mask` of them present, to four vectors of rows.
inline void TransposeFour(const float* const* rows, int64_t at, __mmask8 mask, float* to, int64_t pitch,
                          int64_t count) {
  __m512 columns[4];
  TransposeFours(
      [&](int r) { return mask == 0xf ? _mm_loadu_ps(rows[r] + at) : _mm_maskz_loadu_ps(mask, rows[r] + at); },
      columns);
  _mm512_store_ps(to, columns[0]);
  if (count > 1) _mm512_store_ps(to + pitch, columns[1]);
  if (count > 2) _mm512_store_ps(to + 2 * pitch, columns[2]);
  if (count > 3) _mm512_store_ps(to + 3 * pitch, columns[3]);
}

void TransposeRows(const float* const* rows, int64_t count, float* to, int64_t pitch) {
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) TransposeFour(rows, i, 0xf, to + i * pitch, pitch, 4);
  if (i < count) {
    TransposeFour(rows, i, static_cast<__mmask8>((1 << (count - i)) - 1), to + i * pitch, pitch, count - i);
  }
}

void Transpose(const void* const* rows, bool bf16, int64_t count, int64_t padded, float* to, int64_t pitch) {
  if (!bf16) {
    TransposeRows(reinterpret_cast<const float* const*>(rows), count, to, pitch);
  } else {
    alignas(64) float widened[16][16];
    const float* from[16];
    for (int r = 0; r < 16; ++r) from[r] = widened[r];
    for (int64_t i = 0; i < count; i += 16) {
      const int64_t some = std::min<int64_t>(16, count - i);
      const auto mask = static_cast<__mmask16>((1U << some) - 1);
      for (int r = 0; r < 16; ++r) {
        _mm512_store_ps(widened[r], LoadBf16(static_cast<const uint16_t*>(rows[r]) + i, mask));
      }
      TransposeRows(from, some, to + i * pitch, pitch);
    }
  }
  for (int64_t i = count; i < padded; ++i) _mm512_store_ps(to + i * pitch, _mm512_setzero_ps());
}

}  // namespace

const ColumnsRoutine kColumnsAvx512 = {
    .lanes = 16,
    .most_vectors = Vec::kMostVectors,
    .transpose = Transpose,
    .multiply = MultiplyColumns<Vec>,
    .finish = [](const PanelTask& task, int rows, float* sums) { Finish<false>(task, 0, rows, sums); },
};

extern const KernelDef kernel_gemm24_columns_avx512;
const KernelDef kernel_gemm24_columns_avx512 = {
    .name = "gemm24_columns_avx512",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx512,
    .supports = GemmColumnsSupported,
    .cost = [](const Problem& problem) { return GemmColumnsCost(problem, Isa::kAvx512); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareGemmColumns(problem, cache, kColumnsAvx512); },
};

}  // namespace tamis
