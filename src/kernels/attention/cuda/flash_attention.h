// softmax(scale * q . k^T + mask) . v for every head, in one kernel, without the scores ever leaving the chip.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "tamis/dtype.h"

namespace tamis::cuda {

// Where an operand's rows lie, in elements: from one row, head and entry of the batch to the next.
struct FlashRows {
  int64_t row = 0, head = 0, batch = 0;
};

// What q, k, v and y are of. kTf32: of f32, of which 10 bits of mantissa are multiplied.
enum class FlashType { kF16, kBf16, kTf32 };

// f32 scores and sums. A head's elements lie side by side in a row; rows are 16-byte aligned.
struct FlashAttentionArgs {
  const void *q = nullptr, *k = nullptr, *v = nullptr;
  const void* mask = nullptr;  // may be null; f32, or f16 with mask_f16
  void* y = nullptr;
  int batch = 0, heads = 0, queries = 0, keys = 0;
  int shared = 1;  // heads of q that one head of k and v serves
  FlashRows q_rows, k_rows, v_rows, y_rows;
  int64_t mask_strides[4] = {};  // elements, along batch, head, query and key; 0 where broadcast
  float scale = 1;
  bool mask_f16 = false;
  FlashType type = FlashType::kF16;
  bool causal = false;  // query s sees the keys up to s + causal_offset
  int causal_offset = 0;
  bool zero_masked = false;  // a row whose every score is -infinity gives 0, not NaN
  // Not kUndefined, with operands of f16: y holds codes of this type, round(y * factors[place in a row of y]) + y_zero.
  DType codes = DType::kUndefined;
  const float* factors = nullptr;
  int y_zero = 0;
};

inline constexpr int kFlashDepths[] = {32, 64, 128};

// Keys of one step: more take more registers, so that fewer blocks share a multiprocessor.
enum class FlashStep { k32, k64, k128 };

// How the work is divided. `warps` (1, 2, 4 or 8; 8 with 64 keys a step only) of 16 queries each make a block. With
// `persistent` no more blocks are launched than run at once, and each fetches its next work while it computes.
struct FlashTactic {
  int warps = 4;
  FlashStep step = FlashStep::k64;
  bool persistent = false;
};
inline constexpr int kMostDepthOfLongSteps = 64;  // of heads in steps of 128 keys

// Whether the work may be divided so.
constexpr bool Suits(const FlashTactic& tactic, FlashType type, int depth) {
  if (tactic.step == FlashStep::k128 && depth > kMostDepthOfLongSteps) return false;
  return type == FlashType::kF16 || (tactic.warps <= 4 && tactic.step != FlashStep::k128);
}

// Shared memory that a block takes.
int FlashSharedBytes(int depth, const FlashTactic& tactic, FlashType type);

// `depth`, of a head, is one of kFlashDepths.
cudaError_t LaunchFlashAttention(int depth, const FlashTactic& tactic, const FlashAttentionArgs& args,
                                 cudaStream_t stream);

// Of the other types, apart for being objects of their own.
cudaError_t LaunchFlashAttentionBf16(int depth, const FlashTactic& tactic, const FlashAttentionArgs& args,
                                     cudaStream_t stream);
cudaError_t LaunchFlashAttentionTf32(int depth, const FlashTactic& tactic, const FlashAttentionArgs& args,
                                     cudaStream_t stream);

}  // namespace tamis::cuda
