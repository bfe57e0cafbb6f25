// Two blocks of a cluster have each summed up a half of the depth of one tile: each gets the whole sums of half of the
// columns, through distributed shared memory.
#pragma once

#include "src/kernels/gemm/cuda/hopper.cuh"

namespace tamis::cuda {

// A barrier of the cluster in two halves: what stands between them doesn't wait. Orders no memory.
__device__ __forceinline__ void ClusterArriveRelaxed() {
  asm volatile("barrier.cluster.arrive.relaxed;\n" ::: "memory");
}
__device__ __forceinline__ void ClusterWait() {
  asm volatile("barrier.cluster.wait;\n" ::: "memory");
}

// To shared memory of block `rank` of the cluster; `address` is this block's for the same offset.
__device__ __forceinline__ void StoreToRank(uint32_t address, uint32_t rank, const float (&v)[4]) {
  asm volatile(
      "{\n.reg .b32 remote;\nmapa.shared::cluster.u32 remote, %0, %1;\n"
      "st.shared::cluster.v4.f32 [remote], {%2, %3, %4, %5};\n}\n" ::"r"(address),
      "r"(rank), "f"(v[0]), "f"(v[1]), "f"(v[2]), "f"(v[3])
      : "memory");
}

// The sums of the whole depth of this block's half of the columns. What belongs to the other half goes to the same
// thread of the other block, which holds sums of the same outputs and columns.
template <class Shape>
__device__ __forceinline__ void ExchangeSums(const float (&sums)[Shape::kTokens / 2], uint32_t exchange, int part,
                                             float (&own)[Shape::kTokens / 4]) {
  constexpr int kHalf = Shape::kTokens / 4;
  const uint32_t mine = exchange + threadIdx.x * 16;
#pragma unroll
  for (int i = 0; i < kHalf; i += 4) {
    float other[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      other[j] = part == 0 ? sums[kHalf + i + j] : sums[i + j];
      own[i + j] = part == 0 ? sums[i + j] : sums[kHalf + i + j];
    }
    StoreToRank(mine + i / 4 * 128 * 16, part ^ 1, other);
  }
  ClusterBarrier();
#pragma unroll
  for (int i = 0; i < kHalf; i += 4) {
    float4 v;
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];\n"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "r"(mine + i / 4 * 128 * 16)
                 : "memory");
    own[i] += v.x, own[i + 1] += v.y, own[i + 2] += v.z, own[i + 3] += v.w;
  }
}

}  // namespace tamis::cuda
