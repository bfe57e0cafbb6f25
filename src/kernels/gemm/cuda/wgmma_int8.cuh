// The warpgroup product of codes: d[64][N] += a[64][32] . b[N][32]^T, a of s8, b of u8 or s8, both in shared memory
// along the depth; s32 sums in registers, placed as those of wgmma_sp.cuh.
#pragma once

#include "src/kernels/gemm/cuda/wgmma_sp.cuh"

namespace tamis::cuda {

// clang-format off
#define TAMIS_INTS_4(i) "+r"(d[i]), "+r"(d[i + 1]), "+r"(d[i + 2]), "+r"(d[i + 3])
#define TAMIS_INTS_8(i) TAMIS_INTS_4(i), TAMIS_INTS_4(i + 4)
#define TAMIS_INTS_16(i) TAMIS_INTS_8(i), TAMIS_INTS_8(i + 8)
#define TAMIS_INTS_32(i) TAMIS_INTS_16(i), TAMIS_INTS_16(i + 16)
#define TAMIS_INTS_56(i) TAMIS_INTS_32(i), TAMIS_INTS_16(i + 32), TAMIS_INTS_8(i + 48)
#define TAMIS_INTS_64(i) TAMIS_INTS_32(i), TAMIS_INTS_32(i + 32)
#define TAMIS_INTS_96(i) TAMIS_INTS_64(i), TAMIS_INTS_32(i + 64)
#define TAMIS_INTS_104(i) TAMIS_INTS_96(i), TAMIS_INTS_8(i + 96)
#define TAMIS_INTS_112(i) TAMIS_INTS_96(i), TAMIS_INTS_16(i + 96)
#define TAMIS_INTS_120(i) TAMIS_INTS_112(i), TAMIS_INTS_8(i + 112)
#define TAMIS_INTS_128(i) TAMIS_INTS_64(i), TAMIS_INTS_64(i + 64)

// n columns make s sums; a, b and p are the numbers of the operands after them.
#define TAMIS_WGMMA_INT8_TYPED(n, s, a, b, p, type)                                                            \
  asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %" #p ", 0;\n"                                          \
               "wgmma.mma_async.sync.aligned.m64n" #n "k32.s32.s8." type " {" TAMIS_REGS_##s "}, %" #a ", %" #b \
               ", keep;\n}\n"                                                                                  \
               : TAMIS_INTS_##s(0) : "l"(a_descriptor), "l"(b_descriptor), "r"(keep_sums))
#define TAMIS_WGMMA_INT8(n, s, a, b, p)                                                                     \
  template <bool kUnsigned>                                                                                 \
  struct WgmmaInt8<n, kUnsigned> {                                                                          \
    static __device__ __forceinline__ void Run(int32_t (&d)[s], uint64_t a_descriptor, uint64_t b_descriptor, \
                                               int keep_sums) {                                             \
      if constexpr (kUnsigned) TAMIS_WGMMA_INT8_TYPED(n, s, a, b, p, "u8");                                 \
      if constexpr (!kUnsigned) TAMIS_WGMMA_INT8_TYPED(n, s, a, b, p, "s8");                                \
    }                                                                                                       \
  }

// Run: the sums are kept and added to, or begun anew if keep_sums is 0.
template <int kColumns, bool kUnsigned>
struct WgmmaInt8;
TAMIS_WGMMA_INT8(16, 8, 8, 9, 10);
TAMIS_WGMMA_INT8(32, 16, 16, 17, 18);
TAMIS_WGMMA_INT8(64, 32, 32, 33, 34);
TAMIS_WGMMA_INT8(112, 56, 56, 57, 58);
TAMIS_WGMMA_INT8(128, 64, 64, 65, 66);
TAMIS_WGMMA_INT8(192, 96, 96, 97, 98);
TAMIS_WGMMA_INT8(208, 104, 104, 105, 106);
TAMIS_WGMMA_INT8(224, 112, 112, 113, 114);
TAMIS_WGMMA_INT8(240, 120, 120, 121, 122);
TAMIS_WGMMA_INT8(256, 128, 128, 129, 130);

#undef TAMIS_WGMMA_INT8
#undef TAMIS_WGMMA_INT8_TYPED

// a 2:4 and compressed: [64][64] . [N][64]^T. All threads supply codes (src/kernels/gemm/sparse_code_format.h).
#define TAMIS_WGMMA_SP_INT8_TYPED(n, s, a, b, e, p, type)                                                      \
  asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %" #p ", 0;\n"                                          \
               "wgmma.mma_async.sp.sync.aligned.m64n" #n "k64.s32.s8." type " {" TAMIS_REGS_##s "}, %" #a       \
               ", %" #b ", %" #e ", 0, keep;\n}\n"                                                             \
               : TAMIS_INTS_##s(0) : "l"(a_descriptor), "l"(b_descriptor), "r"(codes), "r"(keep_sums))
#define TAMIS_WGMMA_SP_INT8(n, s, a, b, e, p)                                                               \
  template <bool kUnsigned>                                                                                 \
  struct WgmmaSpInt8<n, kUnsigned> {                                                                        \
    static constexpr int kWords = 2;                                                                        \
    static __device__ __forceinline__ void Run(int32_t (&d)[s], uint64_t a_descriptor, uint64_t b_descriptor, \
                                               uint32_t codes, int keep_sums) {                             \
      if constexpr (kUnsigned) TAMIS_WGMMA_SP_INT8_TYPED(n, s, a, b, e, p, "u8");                           \
      if constexpr (!kUnsigned) TAMIS_WGMMA_SP_INT8_TYPED(n, s, a, b, e, p, "s8");                          \
    }                                                                                                       \
    static __device__ __forceinline__ void RunTile(int32_t (&d)[s], uint64_t a_descriptor,                  \
                                                   uint64_t b_descriptor, const uint32_t (&codes)[2],       \
                                                   int keep_sums) {                                         \
      Run(d, a_descriptor, b_descriptor, codes[0], codes[1] != 0 ? keep_sums : 0);                          \
      Run(d, a_descriptor + 2, b_descriptor + 4, codes[1], 1);                                              \
    }                                                                                                       \
  }

// RunTile: the two products of a packed tile of the weight. No word of codes is 0, so that the condition on the second
// changes nothing but what the compiler knows: without it, it takes that word as defined while the first product runs,
// and makes every product wait for the one before (ptxas' C7513).
template <int kColumns, bool kUnsigned>
struct WgmmaSpInt8;
TAMIS_WGMMA_SP_INT8(16, 8, 8, 9, 10, 11);
TAMIS_WGMMA_SP_INT8(32, 16, 16, 17, 18, 19);
TAMIS_WGMMA_SP_INT8(64, 32, 32, 33, 34, 35);
TAMIS_WGMMA_SP_INT8(128, 64, 64, 65, 66, 67);
TAMIS_WGMMA_SP_INT8(192, 96, 96, 97, 98, 99);
TAMIS_WGMMA_SP_INT8(224, 112, 112, 113, 114, 115);
TAMIS_WGMMA_SP_INT8(256, 128, 128, 129, 130, 131);

#undef TAMIS_WGMMA_SP_INT8
#undef TAMIS_WGMMA_SP_INT8_TYPED
// clang-format on

}  // namespace tamis::cuda
