// Tensors in POSIX shared memory that clients on this machine register by name, instead of in requests.
//
// An object belongs to its client, who may truncate it or write to it at any time. So it is never mapped, where a
// truncation would end the server with SIGBUS: bytes are read and written through its descriptor, and kernels see a
// copy, which nobody changes between a check and a use. The copy is the only one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "src/base/file_descriptor.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

inline constexpr char kNoSharedMemory[] =
    "this server was not started with --shared-memory PREFIX: it reads and writes no memory of its clients";
inline constexpr char kNoCudaSharedMemory[] =
    "memory of GPUs can't be registered: a request's tensors are in the memory of the host here";

// What a client registers: `byte_size` bytes from `offset` on of the object that shm_open knows as `key`.
struct SharedRegion {
  std::string name, key;
  uint64_t offset = 0, byte_size = 0;
};

// A tensor's place within a region. It stays good when the region is unregistered.
class SharedPlace {
 public:
  struct Open {
    FileDescriptor file;
    SharedRegion region;
  };
  SharedPlace(std::shared_ptr<const Open> open, uint64_t offset, uint64_t byte_size)
      : open_(std::move(open)), offset_(offset), byte_size_(byte_size) {}

  const std::string& region() const { return open_->region.name; }
  uint64_t offset() const { return offset_; }
  // `dims` have passed CheckShape. kUser if the place is not as large as they need, or its object no longer is.
  Result<Tensor> Read(DType dtype, const Dims& dims) const;
  // kUser if the tensor's bytes are more than the place has.
  Status Write(const Tensor& tensor) const;

 private:
  std::shared_ptr<const Open> open_;
  uint64_t offset_, byte_size_;
};

// Thread-safe.
class SharedMemory {
 public:
  static constexpr size_t kMaxRegions = 1024;  // each holds a descriptor

  // Clients may register objects whose keys begin with `prefix`, a leading slash aside ("/": any), and read tensors
  // of up to `max_bytes` from them.
  SharedMemory(const std::string& prefix, size_t max_bytes);

  // kUser lists all that is wrong; a name that is taken is.
  Status Register(const SharedRegion& region);
  // Requests at work keep what they have. Unknown names are none.
  void Unregister(const std::string& name);
  void UnregisterAll();
  // By name; an empty name: all.
  std::vector<SharedRegion> Regions(const std::string& name) const;

  Result<SharedPlace> InputPlace(const std::string& region, uint64_t offset, uint64_t byte_size) const;
  Result<SharedPlace> OutputPlace(const std::string& region, uint64_t offset, uint64_t byte_size) const;

 private:
  const std::string prefix_;
  const size_t max_bytes_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::shared_ptr<const SharedPlace::Open>> regions_;
};

}  // namespace tamis
