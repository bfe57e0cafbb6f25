// The sums' way to y, of either kind of product. What int8 products do is defined in int8_epilogue.cuh, which only the
// file that instantiates them includes.
#pragma once

#include "src/kernels/gemm/cuda/gemm24_wgmma_parts.cuh"

namespace tamis::cuda {

// One warpgroup: the sums of 64 outputs. If the residual is fetched, its part has arrived in `tile`.
template <class Shape>
__device__ __forceinline__ void StoreCodes(int32_t (&sums)[Shape::kTokens / 2], const WgmmaParams& params,
                                           int first_output, int first_token, uint32_t tile, int barrier);
// As StoreSplitTile.
template <class Shape>
__device__ __forceinline__ void StoreSplitCodes(const WgmmaParams& params, const BlockPosition& block, int part,
                                                uint32_t sums);

// What this part of a split finishes, by all threads of the block but the fetching warp: f(where four sums lie in
// shared memory, their first output, where it lies in y).
template <class Shape, class F>
__device__ __forceinline__ void ForQuadsOfPart(const WgmmaParams& params, const BlockPosition& block, int part,
                                               uint32_t sums, F&& f) {
  constexpr int kQuads = Shape::kPanels * 16;  // of outputs
  const int quad_begin = kQuads * part / params.split;
  const int quads = kQuads * (part + 1) / params.split - quad_begin;
  const int first_token = block.token_block * Shape::kTokens;
  const int tokens = min(Shape::kTokens, params.rows - first_token);
  for (int item = threadIdx.x; item < quads * tokens; item += Shape::kWarpgroups * 128) {
    const int token = item / quads;
    const int quad = quad_begin + item % quads;
    const int output = block.output_block * Shape::kPanels * 64 + quad * 4;
    if (output >= params.outputs) continue;  // a multiple of 8
    f(sums + (token * Shape::kPitch + quad * 4) * 4, output,
      static_cast<int64_t>(first_token + token) * params.outputs + output);
  }
}

// Whether the residual comes by the copy engine.
template <class Shape>
__device__ __forceinline__ bool FetchesResidual(const WgmmaParams& params) {
  if (params.residual_rows == nullptr) return false;
  return !Shape::kInt8 || IsCode(params.types.residual);  // of f16 and f32 it is read where sums are finished
}

template <class Shape, bool kBf16>
__device__ __forceinline__ void FinishTile(typename Shape::Sum (&sums)[Shape::kTokens / 2], const WgmmaParams& params,
                                           int first_output, int first_token, uint32_t tile, int barrier) {
  if constexpr (Shape::kInt8) {
    StoreCodes<Shape>(sums, params, first_output, first_token, tile, barrier);
  } else {
    StoreTile<Shape, kBf16>(sums, params, first_output, first_token, tile, barrier);
  }
}

__device__ __forceinline__ void StoreSum(uint32_t address, float sum) {
  asm volatile("st.shared.f32 [%0], %1;\n" ::"r"(address), "f"(sum) : "memory");
}
__device__ __forceinline__ void StoreSum(uint32_t address, int32_t sum) {
  asm volatile("st.shared.s32 [%0], %1;\n" ::"r"(address), "r"(sum) : "memory");
}

}  // namespace tamis::cuda
