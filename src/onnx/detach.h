// A model's bytes with the elements of its large initializers taken out, so that weights go from the file to their
// tensors in one copy: protobuf would read them into strings first, and double the memory meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tamis/tensor.h"

namespace tamis {

// Where the bytes come from. Read gives exactly `bytes` bytes or fails.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual bool Read(void* out, size_t bytes) = 0;
  virtual size_t left() const = 0;  // what Read may still be asked for
};

class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  bool Read(void* out, size_t bytes) override;
  size_t left() const override { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

// An open file from its current position on; does not own the descriptor.
class FileSource : public ByteSource {
 public:
  FileSource(int descriptor, size_t bytes) : descriptor_(descriptor), unread_(bytes) {}
  bool Read(void* out, size_t bytes) override;
  size_t left() const override { return unread_ + buffer_.size() - position_; }

 private:
  int descriptor_;
  size_t unread_;  // bytes of the file behind those in the buffer
  std::string buffer_;
  size_t position_ = 0;
};

struct DetachedModel {
  std::string skeleton;          // protobuf; every other field as it was
  std::vector<Tensor> elements;  // by initializer of the main graph: uint8[bytes], or undefined where they stayed in
  uint64_t hash = 0;             // Hash64 of all bytes
};

// Nullopt if the bytes are not laid out as any exporter does it, or cannot be read: the caller then parses them whole
// and finds out. Memory is allocated only for what the source still holds. Throws std::bad_alloc.
std::optional<DetachedModel> DetachElements(ByteSource& source);

}  // namespace tamis
