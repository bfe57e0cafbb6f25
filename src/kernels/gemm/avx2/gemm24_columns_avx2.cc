// Linear with a 2:4 weight, rows across the lanes (src/kernels/gemm/columns.h): a load for each multiply-add, of which
// every core with AVX2 does as many in a cycle, and one more for its weight. Six vectors of rows are as many as leave
// registers for the sums of a pair of outputs.
#include "src/kernels/gemm/avx2/columns_avx2.h"
#include "src/kernels/gemm/avx2/finish_avx2.h"
#include "src/kernels/gemm/columns_body.h"
#include "src/kernels/vec_transpose.h"

namespace tamis {
namespace {

struct ColumnsVec {
  using Reg = __m256;
  static constexpr int kLanes = 8;
  static constexpr int kMostVectors = 6;
  static constexpr int kEnoughSums = 8;
  static Reg Zero() { return _mm256_setzero_ps(); }
  static Reg Load(const float* from) { return _mm256_load_ps(from); }
  static Reg LoadBf16(const uint16_t* from) { return tamis::Load(reinterpret_cast<const Bf16*>(from)).v; }
  static void Store(float* to, Reg v) { _mm256_store_ps(to, v); }
  static Reg Set1(float v) { return _mm256_set1_ps(v); }
  static Reg InRegister(Reg v) {
    asm("" : "+x"(v));
    return v;
  }
  static Reg Fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
};

void TransposeRows(const float* const* rows, int64_t count, float* to, int64_t pitch) {
  Vec columns[4];
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    TransposeFours([&](int r) { return _mm_loadu_ps(rows[r] + i); }, columns);
    for (int k = 0; k < 4; ++k) Store(to + (i + k) * pitch, columns[k]);
  }
  if (i == count) return;
  const auto rest = static_cast<int>(count - i);
  const __m128i present = _mm_cmpgt_epi32(_mm_set1_epi32(rest), _mm_setr_epi32(0, 1, 2, 3));
  TransposeFours([&](int r) { return _mm_maskload_ps(rows[r] + i, present); }, columns);
  for (int k = 0; k < rest; ++k) Store(to + (i + k) * pitch, columns[k]);
}

void Transpose(const void* const* rows, bool bf16, int64_t count, int64_t padded, float* to, int64_t pitch) {
  if (!bf16) {
    TransposeRows(reinterpret_cast<const float* const*>(rows), count, to, pitch);
  } else {
    float widened[kLanes][kLanes];
    const float* from[kLanes];
    for (int r = 0; r < kLanes; ++r) from[r] = widened[r];
    for (int64_t i = 0; i < count; i += kLanes) {
      const Lanes some = LanesOf(count - i);
      for (int r = 0; r < kLanes; ++r) Store(widened[r], Load(static_cast<const Bf16*>(rows[r]) + i, some));
      TransposeRows(from, some.count, to + i * pitch, pitch);
    }
  }
  for (int64_t i = count; i < padded; ++i) Store(to + i * pitch, Set(0));
}

}  // namespace

const ColumnsRoutine kColumnsAvx2 = {
    .lanes = ColumnsVec::kLanes,
    .most_vectors = ColumnsVec::kMostVectors,
    .transpose = Transpose,
    .multiply = MultiplyColumns<ColumnsVec>,
    .finish = [](const PanelTask& task, int rows, float* sums) { Finish(task, 0, rows, sums); },
};

extern const KernelDef kernel_gemm24_columns_avx2;
const KernelDef kernel_gemm24_columns_avx2 = {
    .name = "gemm24_columns_avx2",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx2,
    .supports = GemmColumnsSupported,
    .cost = [](const Problem& problem) { return GemmColumnsCost(problem, Isa::kAvx2); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareGemmColumns(problem, cache, kColumnsAvx2); },
};

}  // namespace tamis
