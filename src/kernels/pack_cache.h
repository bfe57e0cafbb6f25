// Packed weights of the process: made at load, shared by sessions and plans, counted by reference.
//
// No packed format is ever stored in a file. The key is the content hash of the weight plus the name of the packing,
// which must spell everything the bytes depend on ("gemm24_f32_avx512/panel32").
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace tamis {

class PackedWeight {
 public:
  virtual ~PackedWeight() = default;
  virtual size_t Bytes() const = 0;
};

// A 64-byte aligned block, the usual packed weight.
class PackedBytes : public PackedWeight {
 public:
  explicit PackedBytes(size_t bytes);
  ~PackedBytes() override;
  PackedBytes(const PackedBytes&) = delete;
  PackedBytes& operator=(const PackedBytes&) = delete;
  size_t Bytes() const override { return bytes_; }
  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }

 private:
  size_t bytes_;
  std::byte* data_;
};

// Safe to call from several threads; `make` of one key runs once at a time.
class PackCache {
 public:
  using Make = std::function<std::shared_ptr<const PackedWeight>()>;
  // The packed weight of this key, made now if nobody holds it. hash 0 is never shared.
  std::shared_ptr<const PackedWeight> Get(uint64_t hash, const std::string& packing, const Make& make);
  // Bytes of all packed weights that somebody holds.
  size_t LiveBytes() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<uint64_t, std::string>, std::weak_ptr<const PackedWeight>> entries_;
};

}  // namespace tamis
