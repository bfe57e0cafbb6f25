// softmax(scale * q . k^T + mask) . v for every head, in one kernel, without the scores ever leaving the chip.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace tamis::cuda {

// f16 operands, f32 scores and sums. A head's elements lie side by side in a row; rows are `*_pitch` elements apart and
// 16-byte aligned.
struct FlashAttentionArgs {
  const void *q = nullptr, *k = nullptr, *v = nullptr;
  const void* mask = nullptr;  // may be null; f32, or f16 with mask_f16
  void* y = nullptr;
  int batch = 0, heads = 0, queries = 0, keys = 0;
  int64_t q_pitch = 0, k_pitch = 0, v_pitch = 0, y_pitch = 0;
  int64_t mask_strides[4] = {};  // elements, along batch, head, query and key; 0 where broadcast
  float scale = 1;
  bool mask_f16 = false;
};

inline constexpr int kFlashDepths[] = {32, 64, 128};

// `warps` (1, 2 or 4) of 16 queries each make a block; `depth`, of a head, is one of kFlashDepths.
cudaError_t LaunchFlashAttention(int depth, int warps, const FlashAttentionArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
