#include "src/onnx/detach.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "src/base/large_tensor.h"
#include "src/base/stream_hash.h"

namespace tamis {
namespace {

constexpr size_t kDetached = 1024;          // bytes of elements that are worth a memory block of their own
constexpr size_t kPiece = size_t{1} << 20;  // what is hashed at once: still in the cache from being read

// Fields of onnx.proto, which never change their numbers.
constexpr uint32_t kModelGraph = 7, kGraphInitializer = 5, kTensorRawData = 9;
constexpr uint32_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

class Detacher {
 public:
  explicit Detacher(ByteSource& source) : source_(source) {}

  std::optional<DetachedModel> Run() {
    bool graph = false;
    while (source_.left() > 0) {
      const auto tag = ReadVarint();
      if (!tag) return std::nullopt;
      if (*tag == Tag(kModelGraph)) {
        if (graph) return std::nullopt;  // protobuf would join the two
        graph = true;
        if (!Message(*tag, source_.left(), [&](size_t end) { return Graph(end); })) return std::nullopt;
      } else if (!Copy(*tag, 0)) {
        return std::nullopt;
      }
    }
    model_.hash = hash_.Value();
    return std::move(model_);
  }

 private:
  static constexpr uint64_t Tag(uint32_t field) { return field << 3 | kBytes; }

  bool Read(void* out, size_t bytes) {
    auto* to = static_cast<char*>(out);
    while (bytes > 0) {
      const size_t piece = std::min(bytes, kPiece);
      if (!source_.Read(to, piece)) return false;
      hash_.Add(to, piece);
      to += piece;
      bytes -= piece;
    }
    return true;
  }

  std::optional<uint64_t> ReadVarint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      unsigned char byte = 0;
      if (source_.left() == 0 || !Read(&byte, 1)) return std::nullopt;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  void PutVarint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) model_.skeleton += static_cast<char>(value | 0x80);
    model_.skeleton += static_cast<char>(value);
  }

  // A message whose fields `body` reads, up to where the source has `end` bytes left, and writes again, perhaps
  // shorter: its length is filled in afterwards, padded to five bytes, which protobuf reads as any other.
  template <class Body>
  bool Message(uint64_t tag, size_t available, Body body) {
    constexpr size_t kLengthBytes = 5;
    const auto length = ReadVarint();
    if (!length || *length > source_.left() || *length > available) return false;
    PutVarint(tag);
    const size_t at = model_.skeleton.size();
    model_.skeleton.append(kLengthBytes, '\0');
    if (!body(source_.left() - *length)) return false;
    size_t written = model_.skeleton.size() - at - kLengthBytes;
    for (size_t i = 0; i < kLengthBytes; ++i, written >>= 7) {
      model_.skeleton[at + i] = static_cast<char>((written & 0x7f) | (i + 1 < kLengthBytes ? 0x80 : 0));
    }
    return true;
  }

  bool Graph(size_t end) {
    while (source_.left() > end) {
      const auto tag = ReadVarint();
      if (!tag || source_.left() < end) return false;
      if (*tag != Tag(kGraphInitializer)) {
        if (!Copy(*tag, end)) return false;
        continue;
      }
      model_.elements.emplace_back();
      if (!Message(*tag, source_.left() - end, [&](size_t stop) { return Initializer(stop); })) return false;
    }
    return source_.left() == end;
  }

  bool Initializer(size_t end) {
    Tensor& elements = model_.elements.back();
    while (source_.left() > end) {
      const auto tag = ReadVarint();
      if (!tag || source_.left() < end) return false;
      if (*tag != Tag(kTensorRawData)) {
        if (!Copy(*tag, end)) return false;
        continue;
      }
      if (elements.Defined()) return false;  // given twice
      const auto length = ReadVarint();
      if (!length || source_.left() < end || *length > source_.left() - end) return false;
      if (*length < kDetached) {
        PutVarint(*tag);
        PutVarint(*length);
        if (!CopyBytes(*length)) return false;
        continue;
      }
      elements = LargeTensor(DType::kUInt8, {static_cast<int64_t>(*length)});
      if (!Read(elements.raw(), *length)) return false;
    }
    return source_.left() == end;
  }

  bool CopyBytes(size_t bytes) {
    const size_t at = model_.skeleton.size();
    model_.skeleton.resize(at + bytes);
    return Read(model_.skeleton.data() + at, bytes);
  }

  // A field as it is; at least `end` bytes stay.
  bool Copy(uint64_t tag, size_t end) {
    PutVarint(tag);
    const auto fits = [&](uint64_t bytes) { return source_.left() >= end && bytes <= source_.left() - end; };
    switch (tag & 7) {
      case kVarint: {
        const auto value = ReadVarint();
        if (!value || !fits(0)) return false;
        PutVarint(*value);
        return true;
      }
      case kFixed64:
        return fits(8) && CopyBytes(8);
      case kFixed32:
        return fits(4) && CopyBytes(4);
      case kBytes: {
        const auto length = ReadVarint();
        if (!length || !fits(*length)) return false;
        PutVarint(*length);
        return CopyBytes(*length);
      }
      default:
        return false;
    }
  }

  ByteSource& source_;
  StreamHash hash_;
  DetachedModel model_;
};

}  // namespace

bool MemorySource::Read(void* out, size_t bytes) {
  if (bytes > bytes_.size()) return false;
  std::memcpy(out, bytes_.data(), bytes);
  bytes_.remove_prefix(bytes);
  return true;
}

bool FileSource::Read(void* out, size_t bytes) {
  constexpr size_t kBuffered = size_t{1} << 16;
  auto* to = static_cast<char*>(out);
  while (bytes > 0) {
    if (position_ < buffer_.size()) {
      const size_t piece = std::min(bytes, buffer_.size() - position_);
      std::memcpy(to, buffer_.data() + position_, piece);
      position_ += piece;
      to += piece;
      bytes -= piece;
      continue;
    }
    // What is larger than the buffer goes where it belongs at once.
    const bool direct = bytes >= kBuffered;
    if (!direct) buffer_.resize(std::min(kBuffered, unread_)), position_ = buffer_.size();
    const ssize_t got = ::read(descriptor_, direct ? to : buffer_.data(), direct ? bytes : buffer_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || static_cast<size_t>(got) > unread_) return false;
    unread_ -= static_cast<size_t>(got);
    if (direct) {
      to += got;
      bytes -= static_cast<size_t>(got);
    } else {
      buffer_.resize(static_cast<size_t>(got));
      position_ = 0;
    }
  }
  return true;
}

std::optional<DetachedModel> DetachElements(ByteSource& source) {
  return Detacher(source).Run();
}

}  // namespace tamis
