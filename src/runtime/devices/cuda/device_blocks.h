// Device memory of outputs, kept for later ones of the same size.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "src/cuda/device.h"

namespace tamis {

// Thread-safe. A block goes back when its last handle is gone, which may be long after the program. It is then only
// given to a run on the stream that it was made for: what that stream's work still reads in it comes before what the
// run writes.
class DeviceBlocks : public std::enable_shared_from_this<DeviceBlocks> {
 public:
  static std::shared_ptr<DeviceBlocks> Make(std::shared_ptr<const CudaDevice> device);

  struct Block {
    void* data = nullptr;
    std::shared_ptr<const void> owner;
  };
  Result<Block> Take(size_t bytes, uint64_t stream);

 private:
  explicit DeviceBlocks(std::shared_ptr<const CudaDevice> device) : device_(std::move(device)) {}
  static constexpr size_t kMostKept = 8;  // of each size and stream

  std::shared_ptr<const CudaDevice> device_;
  std::mutex mutex_;  // guards what follows
  std::map<std::pair<size_t, uint64_t>, std::vector<CudaMemory>> free_;
};

}  // namespace tamis
