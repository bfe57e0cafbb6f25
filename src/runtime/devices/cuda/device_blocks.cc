#include "src/runtime/devices/cuda/device_blocks.h"

namespace tamis {

std::shared_ptr<DeviceBlocks> DeviceBlocks::Make(std::shared_ptr<const CudaDevice> device) {
  return std::shared_ptr<DeviceBlocks>(new DeviceBlocks(std::move(device)));
}

Result<DeviceBlocks::Block> DeviceBlocks::Take(size_t bytes, uint64_t stream) {
  auto memory = std::make_unique<CudaMemory>();
  {
    const std::lock_guard lock(mutex_);
    std::vector<CudaMemory>& kept = free_[{bytes, stream}];
    if (!kept.empty()) {
      *memory = std::move(kept.back());
      kept.pop_back();
    }
  }
  if (memory->data() == nullptr) {
    TAMIS_ASSIGN_OR_RETURN(*memory, CudaMemory::OnDevice(device_, bytes));
  }
  Block block;
  block.data = memory->data();
  const auto give_back = [blocks = shared_from_this(), bytes, stream](CudaMemory* held) {
    const std::unique_ptr<CudaMemory> own(held);
    const std::lock_guard lock(blocks->mutex_);
    std::vector<CudaMemory>& kept = blocks->free_[{bytes, stream}];
    if (kept.size() < kMostKept) kept.push_back(std::move(*own));  // else it is released, which waits for the GPU
  };
  block.owner = std::shared_ptr<CudaMemory>(memory.release(), give_back);
  return block;
}

}  // namespace tamis
