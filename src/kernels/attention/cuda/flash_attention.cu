#include "src/kernels/attention/cuda/flash_attention.cuh"

namespace tamis::cuda {

int FlashSharedBytes(int depth, const FlashTactic& tactic, FlashType type) {
  const int keys = tactic.step == FlashStep::k32 ? 32 : tactic.step == FlashStep::k64 ? 64 : 128;
  const int row = depth * (type == FlashType::kTf32 ? 4 : 2);
  // Queries of one item or two, two stages of keys and of values, a step's mask.
  return ((tactic.persistent ? 2 : 1) * tactic.warps * 16 + 4 * keys) * row + keys * 4;
}

cudaError_t LaunchFlashAttention(int depth, const FlashTactic& tactic, const FlashAttentionArgs& args,
                                 cudaStream_t stream) {
  if (args.type == FlashType::kBf16) return LaunchFlashAttentionBf16(depth, tactic, args, stream);
  if (args.type == FlashType::kTf32) return LaunchFlashAttentionTf32(depth, tactic, args, stream);
  return LaunchFlash<FlashType::kF16>(depth, tactic, args, stream);
}

}  // namespace tamis::cuda
