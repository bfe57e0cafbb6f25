#include "src/server/protocol/tensor_bytes.h"

#include <bit>
#include <cstring>
#include <utility>

namespace tamis {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr size_t kLengthBytes = sizeof(uint32_t);

Result<Tensor> StringsFromBytes(std::string_view bytes, const Dims& dims) {
  const auto count = static_cast<size_t>(NumElements(dims));
  if (bytes.size() / kLengthBytes < count) {
    return UserError("its bytes are {}, but BYTES{} takes at least {}: four bytes of length an element", bytes.size(),
                     ToString(dims), count * kLengthBytes);
  }
  Tensor tensor(DType::kString, dims);
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (bytes.size() - at < kLengthBytes) return UserError("its bytes end before element {} of {}", i, count);
    std::memcpy(&length, bytes.data() + at, kLengthBytes);
    at += kLengthBytes;
    if (length > bytes.size() - at) {
      return UserError("element {} is {} bytes long, but only {} are left", i, length, bytes.size() - at);
    }
    tensor.Data<std::string>()[i] = bytes.substr(at, length);
    at += length;
  }
  if (at != bytes.size()) return UserError("{} bytes are left behind its last element", bytes.size() - at);
  return tensor;
}

}  // namespace

Status CheckByteCount(size_t bytes, DType dtype, const Dims& dims) {
  const size_t needed = ByteSize(dtype, static_cast<size_t>(NumElements(dims)));
  if (bytes == needed) return {};
  return UserError("its bytes are {}, but {}{} takes {}", bytes, KserveName(dtype), ToString(dims), needed);
}

Result<Tensor> TensorFromBytes(std::string_view bytes, DType dtype, const Dims& dims,
                               std::shared_ptr<const void> owner) {
  if (dtype == DType::kString) return StringsFromBytes(bytes, dims);
  TAMIS_RETURN_IF_ERROR(CheckByteCount(bytes.size(), dtype, dims));
  if (owner != nullptr && dtype != DType::kBool && reinterpret_cast<uintptr_t>(bytes.data()) % kTensorAlignment == 0) {
    return Tensor::View(dtype, dims, bytes.data(), std::move(owner));
  }
  Tensor tensor(dtype, dims);
  std::memcpy(tensor.raw(), bytes.data(), bytes.size());
  if (dtype == DType::kBool) {  // any other bit pattern is not a bool
    for (uint8_t& byte : tensor.Span<uint8_t>()) byte = byte != 0;
  }
  return tensor;
}

size_t BytesOf(const Tensor& tensor) {
  if (tensor.dtype() != DType::kString) return tensor.NumBytes();
  size_t bytes = 0;
  for (const std::string& element : tensor.Span<std::string>()) bytes += kLengthBytes + element.size();
  return bytes;
}

void AppendBytes(const Tensor& tensor, std::string* body) {
  if (tensor.dtype() != DType::kString) {
    body->append(reinterpret_cast<const char*>(tensor.raw()), tensor.NumBytes());
    return;
  }
  for (const std::string& element : tensor.Span<std::string>()) {
    const auto length = static_cast<uint32_t>(element.size());
    body->append(reinterpret_cast<const char*>(&length), kLengthBytes);
    body->append(element);
  }
}

}  // namespace tamis
