// The sparse warpgroup product of sm_90a: d[64][N] += a[64][32] . b[N][32]^T, a 2:4 and compressed in shared memory, b
// in shared memory, both along the depth; f32 sums in registers.
//
// Sum i of a thread belongs to row 16 * warp + lane / 4 + 8 * (i / 2 % 2) and column i / 4 * 8 + lane % 4 * 2 + i % 2.
#pragma once

#include <cstdint>

namespace tamis::cuda {

// clang-format off
#define TAMIS_REGS_8 "%0,%1,%2,%3,%4,%5,%6,%7"
#define TAMIS_REGS_16 TAMIS_REGS_8 ",%8,%9,%10,%11,%12,%13,%14,%15"
#define TAMIS_REGS_24 TAMIS_REGS_16 ",%16,%17,%18,%19,%20,%21,%22,%23"
#define TAMIS_REGS_32 TAMIS_REGS_24 ",%24,%25,%26,%27,%28,%29,%30,%31"
#define TAMIS_REGS_40 TAMIS_REGS_32 ",%32,%33,%34,%35,%36,%37,%38,%39"
#define TAMIS_REGS_48 TAMIS_REGS_40 ",%40,%41,%42,%43,%44,%45,%46,%47"
#define TAMIS_REGS_56 TAMIS_REGS_48 ",%48,%49,%50,%51,%52,%53,%54,%55"
#define TAMIS_REGS_64 TAMIS_REGS_56 ",%56,%57,%58,%59,%60,%61,%62,%63"
#define TAMIS_REGS_72 TAMIS_REGS_64 ",%64,%65,%66,%67,%68,%69,%70,%71"
#define TAMIS_REGS_80 TAMIS_REGS_72 ",%72,%73,%74,%75,%76,%77,%78,%79"
#define TAMIS_REGS_88 TAMIS_REGS_80 ",%80,%81,%82,%83,%84,%85,%86,%87"
#define TAMIS_REGS_96 TAMIS_REGS_88 ",%88,%89,%90,%91,%92,%93,%94,%95"
#define TAMIS_REGS_104 TAMIS_REGS_96 ",%96,%97,%98,%99,%100,%101,%102,%103"
#define TAMIS_REGS_112 TAMIS_REGS_104 ",%104,%105,%106,%107,%108,%109,%110,%111"
#define TAMIS_REGS_120 TAMIS_REGS_112 ",%112,%113,%114,%115,%116,%117,%118,%119"
#define TAMIS_REGS_128 TAMIS_REGS_120 ",%120,%121,%122,%123,%124,%125,%126,%127"
#define TAMIS_REGS_4 "%0,%1,%2,%3"
#define TAMIS_SUMS_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define TAMIS_SUMS_8(i) TAMIS_SUMS_4(i), TAMIS_SUMS_4(i + 4)
#define TAMIS_SUMS_16(i) TAMIS_SUMS_8(i), TAMIS_SUMS_8(i + 8)
#define TAMIS_SUMS_32(i) TAMIS_SUMS_16(i), TAMIS_SUMS_16(i + 16)
#define TAMIS_SUMS_56(i) TAMIS_SUMS_32(i), TAMIS_SUMS_16(i + 32), TAMIS_SUMS_8(i + 48)
#define TAMIS_SUMS_64(i) TAMIS_SUMS_32(i), TAMIS_SUMS_32(i + 32)
#define TAMIS_SUMS_96(i) TAMIS_SUMS_64(i), TAMIS_SUMS_32(i + 64)
#define TAMIS_SUMS_104(i) TAMIS_SUMS_96(i), TAMIS_SUMS_8(i + 96)
#define TAMIS_SUMS_112(i) TAMIS_SUMS_96(i), TAMIS_SUMS_16(i + 96)
#define TAMIS_SUMS_120(i) TAMIS_SUMS_112(i), TAMIS_SUMS_8(i + 112)
#define TAMIS_SUMS_128(i) TAMIS_SUMS_64(i), TAMIS_SUMS_64(i + 64)

// n columns make s sums; a, b, e and p are the numbers of the operands after them.
#define TAMIS_WGMMA_SP_TYPED(n, s, a, b, e, p, sel, type)                                                    \
  asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %" #p ", 0;\n"                                        \
               "wgmma.mma_async.sp.sync.aligned.m64n" #n "k32.f32." type "." type " {" TAMIS_REGS_##s "}, %" #a \
               ", %" #b ", %" #e ", " #sel ", keep, 1, 1, 0, 0;\n}\n"                                         \
               : TAMIS_SUMS_##s(0) : "l"(a_descriptor), "l"(b_descriptor), "r"(codes), "r"(keep_sums))
#define TAMIS_WGMMA_SP(n, s, a, b, e, p)                                            \
  template <bool kBf16>                                                             \
  struct WgmmaSp<n, kBf16> {                                                        \
    static constexpr int kWords = 1;                                                \
    static __device__ __forceinline__ void RunTile(float (&d)[s], uint64_t a_descriptor, uint64_t b_descriptor, \
                                                   const uint32_t (&codes)[1], int keep_sums) { \
      Run<0>(d, a_descriptor, b_descriptor, codes[0], keep_sums);                   \
      Run<1>(d, a_descriptor + 2, b_descriptor + 4, codes[0], 1);                   \
    }                                                                               \
    template <int kSelector>                                                        \
    static __device__ __forceinline__ void Run(float (&d)[s], uint64_t a_descriptor, uint64_t b_descriptor, \
                                               uint32_t codes, int keep_sums) {     \
      if constexpr (kBf16 && kSelector == 0) TAMIS_WGMMA_SP_TYPED(n, s, a, b, e, p, 0, "bf16");  \
      if constexpr (kBf16 && kSelector == 1) TAMIS_WGMMA_SP_TYPED(n, s, a, b, e, p, 1, "bf16");  \
      if constexpr (!kBf16 && kSelector == 0) TAMIS_WGMMA_SP_TYPED(n, s, a, b, e, p, 0, "f16");  \
      if constexpr (!kBf16 && kSelector == 1) TAMIS_WGMMA_SP_TYPED(n, s, a, b, e, p, 1, "f16");  \
    }                                                                               \
  }

// Run<selector>: the sums are kept and added to, or begun anew if keep_sums is 0. Threads 2 selector and 2 selector + 1
// of each quad supply the codes (src/kernels/gemm/sparse_tile_format.h).
template <int kColumns, bool kBf16>
struct WgmmaSp;
TAMIS_WGMMA_SP(8, 4, 4, 5, 6, 7);
TAMIS_WGMMA_SP(16, 8, 8, 9, 10, 11);
TAMIS_WGMMA_SP(32, 16, 16, 17, 18, 19);
TAMIS_WGMMA_SP(64, 32, 32, 33, 34, 35);
TAMIS_WGMMA_SP(128, 64, 64, 65, 66, 67);
TAMIS_WGMMA_SP(192, 96, 96, 97, 98, 99);
TAMIS_WGMMA_SP(208, 104, 104, 105, 106, 107);
TAMIS_WGMMA_SP(224, 112, 112, 113, 114, 115);
TAMIS_WGMMA_SP(240, 120, 120, 121, 122, 123);
TAMIS_WGMMA_SP(256, 128, 128, 129, 130, 131);

#undef TAMIS_WGMMA_SP
#undef TAMIS_WGMMA_SP_TYPED
// clang-format on

// A thread's words of codes, at its place in a packed tile.
__device__ __forceinline__ void LoadCodes(uint32_t address, uint32_t (&codes)[1]) {
  asm volatile("ld.shared.u32 %0, [%1];\n" : "=r"(codes[0]) : "r"(address) : "memory");
}
__device__ __forceinline__ void LoadCodes(uint32_t address, uint32_t (&codes)[2]) {
  asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];\n" : "=r"(codes[0]), "=r"(codes[1]) : "r"(address) : "memory");
}
// Products read codes from registers while they run: what stands behind their end keeps them.
template <int kWords>
__device__ __forceinline__ void KeepCodes(const uint32_t (&codes)[kWords]) {
#pragma unroll
  for (int i = 0; i < kWords; ++i) asm volatile("" ::"r"(codes[i]) : "memory");
}

// Orders the registers and shared memory that the next products read after what wrote them.
__device__ __forceinline__ void WgmmaFence() {
  asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory");
}
__device__ __forceinline__ void WgmmaCommit() {
  asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory");
}
// Waits until at most kPending of the committed groups are unfinished.
template <int kPending>
__device__ __forceinline__ void WgmmaWait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(kPending) : "memory");
}

// A descriptor of rows along the depth in shared memory, in the swizzle of rows of kRowBytes (64 or 128). Its address
// may be advanced inside a row by adding bytes / 16.
template <int kRowBytes>
__device__ __forceinline__ uint64_t WgmmaDescriptor(uint32_t address) {
  static_assert(kRowBytes == 64 || kRowBytes == 128);
  constexpr uint64_t kEightRows = kRowBytes * 8 / 16;
  constexpr uint64_t kSwizzle = kRowBytes == 128 ? 1 : 2;
  return kSwizzle << 62 | kEightRows << 32 | uint64_t{1} << 16 | ((address & 0x3ffff) >> 4);
}

}  // namespace tamis::cuda
