#include "src/kernels/attention/cuda/flash_attention.cuh"

namespace tamis::cuda {

cudaError_t LaunchFlashAttentionTf32(int depth, const FlashTactic& tactic, const FlashAttentionArgs& args,
                                     cudaStream_t stream) {
  return LaunchFlash<FlashType::kTf32>(depth, tactic, args, stream);
}

}  // namespace tamis::cuda
