#include "src/kernels/attention/cuda/flash_attention.cuh"

namespace tamis::cuda {

cudaError_t LaunchFlashAttention(int depth, const FlashTactic& tactic, const FlashAttentionArgs& args,
                                 cudaStream_t stream) {
  return args.bf16 ? LaunchFlashAttentionBf16(depth, tactic, args, stream)
                   : LaunchFlash<false>(depth, tactic, args, stream);
}

}  // namespace tamis::cuda
