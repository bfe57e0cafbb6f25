// The warpgroup product of float8e4m3fn: d[64][N] += a[64][32] . b[N][32]^T, both in shared memory along the depth; f32
// sums in registers, placed as those of wgmma_sp.cuh. The tensor cores of Hopper keep some 13 bits behind the point of
// the largest of the terms that they add at once.
#pragma once

#include "src/kernels/gemm/cuda/wgmma_sp.cuh"

namespace tamis::cuda {

// clang-format off
// n columns make s sums; a, b and p are the numbers of the operands after them.
#define TAMIS_WGMMA_FLOAT8(n, s, a, b, p)                                                                   \
  template <>                                                                                              \
  struct WgmmaFloat8<n> {                                                                                  \
    static __device__ __forceinline__ void Run(float (&d)[s], uint64_t a_descriptor, uint64_t b_descriptor, \
                                               int keep_sums) {                                            \
      asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %" #p ", 0;\n"                                  \
                   "wgmma.mma_async.sync.aligned.m64n" #n "k32.f32.e4m3.e4m3 {" TAMIS_REGS_##s "}, %" #a    \
                   ", %" #b ", keep, 1, 1;\n}\n"                                                           \
                   : TAMIS_SUMS_##s(0) : "l"(a_descriptor), "l"(b_descriptor), "r"(keep_sums));            \
    }                                                                                                      \
  }

// Run: the sums are kept and added to, or begun anew if keep_sums is 0.
template <int kColumns>
struct WgmmaFloat8;
TAMIS_WGMMA_FLOAT8(16, 8, 8, 9, 10);
TAMIS_WGMMA_FLOAT8(64, 32, 32, 33, 34);
TAMIS_WGMMA_FLOAT8(128, 64, 64, 65, 66);
TAMIS_WGMMA_FLOAT8(192, 96, 96, 97, 98);
TAMIS_WGMMA_FLOAT8(256, 128, 128, 129, 130);

#undef TAMIS_WGMMA_FLOAT8

// a 2:4 and compressed: [64][64] . [N][64]^T. As WgmmaSpInt8, whose codes of positions these are.
#define TAMIS_WGMMA_SP_FLOAT8(n, s, a, b, e, p)                                                             \
  template <>                                                                                              \
  struct WgmmaSpFloat8<n> {                                                                                \
    static constexpr int kWords = 2;                                                                       \
    static __device__ __forceinline__ void Run(float (&d)[s], uint64_t a_descriptor, uint64_t b_descriptor, \
                                               uint32_t codes, int keep_sums) {                            \
      asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %" #p ", 0;\n"                                  \
                   "wgmma.mma_async.sp.sync.aligned.m64n" #n "k64.f32.e4m3.e4m3 {" TAMIS_REGS_##s "}, %" #a \
                   ", %" #b ", %" #e ", 0, keep, 1, 1;\n}\n"                                               \
                   : TAMIS_SUMS_##s(0) : "l"(a_descriptor), "l"(b_descriptor), "r"(codes), "r"(keep_sums)); \
    }                                                                                                      \
    static __device__ __forceinline__ void RunTile(float (&d)[s], uint64_t a_descriptor,                   \
                                                   uint64_t b_descriptor, const uint32_t (&codes)[2],      \
                                                   int keep_sums) {                                        \
      Run(d, a_descriptor, b_descriptor, codes[0], codes[1] != 0 ? keep_sums : 0);                         \
      Run(d, a_descriptor + 2, b_descriptor + 4, codes[1], 1);                                             \
    }                                                                                                      \
  }

template <int kColumns>
struct WgmmaSpFloat8;
TAMIS_WGMMA_SP_FLOAT8(16, 8, 8, 9, 10, 11);
TAMIS_WGMMA_SP_FLOAT8(64, 32, 32, 33, 34, 35);
TAMIS_WGMMA_SP_FLOAT8(128, 64, 64, 65, 66, 67);
TAMIS_WGMMA_SP_FLOAT8(192, 96, 96, 97, 98, 99);
TAMIS_WGMMA_SP_FLOAT8(256, 128, 128, 129, 130, 131);

#undef TAMIS_WGMMA_SP_FLOAT8
// clang-format on

}  // namespace tamis::cuda
