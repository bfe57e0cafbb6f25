// The warpgroup product of sm_90a: d[64][N] += a[64][16] . b[N][16]^T of f16 or bf16, both in shared memory along the
// depth; f32 sums in registers, placed as those of wgmma_sp.cuh.
#pragma once

#include "src/kernels/gemm/cuda/wgmma_sp.cuh"

namespace tamis::cuda {

// clang-format off
#define TAMIS_WGMMA_DENSE_TYPED(n, s, a, b, p, type)                                                       \
  asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %" #p ", 0;\n"                                      \
               "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type " {" TAMIS_REGS_##s "}, %" #a \
               ", %" #b ", keep, 1, 1, 0, 0;\n}\n"                                                         \
               : TAMIS_SUMS_##s(0) : "l"(a_descriptor), "l"(b_descriptor), "r"(keep_sums))
// n columns make s sums; a, b and p are the numbers of the operands after them.
#define TAMIS_WGMMA_DENSE(n, s, a, b, p)                                                                   \
  template <bool kBf16>                                                                                    \
  struct WgmmaDense<n, kBf16> {                                                                            \
    static __device__ __forceinline__ void Run(float (&d)[s], uint64_t a_descriptor, uint64_t b_descriptor, \
                                               int keep_sums) {                                            \
      if constexpr (kBf16) TAMIS_WGMMA_DENSE_TYPED(n, s, a, b, p, "bf16");                                 \
      if constexpr (!kBf16) TAMIS_WGMMA_DENSE_TYPED(n, s, a, b, p, "f16");                                 \
    }                                                                                                      \
  }

// Run: the sums are kept and added to, or begun anew if keep_sums is 0.
template <int kColumns, bool kBf16>
struct WgmmaDense;
TAMIS_WGMMA_DENSE(16, 8, 8, 9, 10);
TAMIS_WGMMA_DENSE(32, 16, 16, 17, 18);
TAMIS_WGMMA_DENSE(64, 32, 32, 33, 34);
TAMIS_WGMMA_DENSE(112, 56, 56, 57, 58);
TAMIS_WGMMA_DENSE(128, 64, 64, 65, 66);
TAMIS_WGMMA_DENSE(192, 96, 96, 97, 98);
TAMIS_WGMMA_DENSE(208, 104, 104, 105, 106);
TAMIS_WGMMA_DENSE(224, 112, 112, 113, 114);
TAMIS_WGMMA_DENSE(240, 120, 120, 121, 122);
TAMIS_WGMMA_DENSE(256, 128, 128, 129, 130);

#undef TAMIS_WGMMA_DENSE
#undef TAMIS_WGMMA_DENSE_TYPED
// clang-format on

}  // namespace tamis::cuda
