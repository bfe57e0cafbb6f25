#include "tamis/tensor.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "src/base/float16.h"
#include "tamis/status.h"

namespace tamis {

float HalfToFloat(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t exponent = (h >> 10) & 0x1f;
  uint32_t mantissa = h & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

uint16_t FloatToHalf(float f) {
  const uint32_t u = std::bit_cast<uint32_t>(f);
  const auto sign = static_cast<uint16_t>((u >> 16) & 0x8000);
  const uint32_t magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00);
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00);  // rounds to infinity
  if (magnitude < 0x38800000u) {                                              // subnormal half: units of 2^-24
    const float units = std::bit_cast<float>(magnitude) * 0x1p24f;
    const float biased = units + 0x1p23f;  // rounds to an integer, ties to even
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(biased) & 0x7fff));
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

int64_t NumElements(std::span<const int64_t> dims) {
  int64_t product = 1;
  bool empty = false;
  for (int64_t d : dims) {
    if (d < 0) return -1;
    if (d == 0) {
      empty = true;
      continue;
    }
    if (product > (int64_t{1} << 62) / d) return -1;
    product *= d;
  }
  return empty ? 0 : product;
}

std::string ToString(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

Tensor::Tensor(DType dtype, Dims dims) : dtype_(dtype), dims_(std::move(dims)) {
  const int64_t count = tamis::NumElements(dims_);
  TAMIS_ASSERT(count >= 0);
  if (dtype == DType::kString) {
    auto strings = std::make_shared<std::vector<std::string>>(static_cast<size_t>(count));
    data_ = reinterpret_cast<std::byte*>(strings->data());
    owner_ = std::move(strings);
    return;
  }
  const size_t bytes = ByteSize(dtype, static_cast<size_t>(count));
  const size_t rounded = (bytes + 127) / 64 * 64;  // at least one spare vector: kernels may load, not store, past it
  void* memory = std::aligned_alloc(64, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0, rounded);
  data_ = static_cast<std::byte*>(memory);
  owner_ = std::shared_ptr<const void>(memory, [](const void* p) { std::free(const_cast<void*>(p)); });
}

Tensor Tensor::View(DType dtype, Dims dims, const void* data, std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.dims_ = std::move(dims);
  tensor.data_ = const_cast<std::byte*>(static_cast<const std::byte*>(data));
  tensor.owner_ = std::move(owner);
  return tensor;
}

Tensor Tensor::Int64s(std::span<const int64_t> values) {
  return Of<int64_t>(DType::kInt64, {static_cast<int64_t>(values.size())}, values);
}

Tensor Tensor::Float(float value) {
  return Of<float>(DType::kFloat32, {}, std::span<const float>(&value, 1));
}

Tensor Tensor::Strings(Dims dims, std::vector<std::string> values) {
  TAMIS_ASSERT(tamis::NumElements(dims) == static_cast<int64_t>(values.size()));
  Tensor tensor;
  tensor.dtype_ = DType::kString;
  tensor.dims_ = std::move(dims);
  auto strings = std::make_shared<std::vector<std::string>>(std::move(values));
  tensor.data_ = reinterpret_cast<std::byte*>(strings->data());
  tensor.owner_ = std::move(strings);
  return tensor;
}

int64_t Tensor::NumElements() const {
  return tamis::NumElements(dims_);
}

Tensor Tensor::Clone() const {
  if (dtype_ == DType::kString) {
    const auto strings = Span<std::string>();
    return Strings(dims_, std::vector<std::string>(strings.begin(), strings.end()));
  }
  Tensor copy(dtype_, dims_);
  if (NumBytes() > 0) std::memcpy(copy.data_, data_, NumBytes());
  return copy;
}

Tensor Tensor::Reshaped(Dims dims) const {
  TAMIS_ASSERT(tamis::NumElements(dims) == NumElements());
  Tensor view = *this;
  view.dims_ = std::move(dims);
  return view;
}

namespace {

template <class To, class From>
void Convert(const std::byte* from, To* to, size_t count) {
  const From* typed = reinterpret_cast<const From*>(from);
  for (size_t i = 0; i < count; ++i) to[i] = static_cast<To>(typed[i]);
}

template <class To>
bool ConvertIntegers(DType dtype, const std::byte* from, To* to, size_t count) {
  switch (dtype) {
    case DType::kBool:
    case DType::kUInt8:
      Convert<To, uint8_t>(from, to, count);
      return true;
    case DType::kInt8:
      Convert<To, int8_t>(from, to, count);
      return true;
    case DType::kUInt16:
      Convert<To, uint16_t>(from, to, count);
      return true;
    case DType::kInt16:
      Convert<To, int16_t>(from, to, count);
      return true;
    case DType::kInt32:
      Convert<To, int32_t>(from, to, count);
      return true;
    case DType::kUInt32:
      Convert<To, uint32_t>(from, to, count);
      return true;
    case DType::kInt64:
      Convert<To, int64_t>(from, to, count);
      return true;
    case DType::kUInt64:
      Convert<To, uint64_t>(from, to, count);
      return true;
    default:
      return false;
  }
}

}  // namespace

std::vector<int64_t> Tensor::ToInt64s() const {
  std::vector<int64_t> values(static_cast<size_t>(NumElements()));
  TAMIS_ASSERT(ConvertIntegers(dtype_, data_, values.data(), values.size()));
  return values;
}

Tensor Tensor::ToFloat32() const {
  if (dtype_ == DType::kFloat32) return *this;
  Tensor result(DType::kFloat32, dims_);
  float* out = result.Data<float>();
  const auto count = static_cast<size_t>(NumElements());
  if (dtype_ == DType::kFloat64) {
    Convert<float, double>(data_, out, count);
  } else if (dtype_ == DType::kBFloat16) {
    for (size_t i = 0; i < count; ++i) out[i] = Bf16ToFloat(Data<uint16_t>()[i]);
  } else if (dtype_ == DType::kFloat16) {
    for (size_t i = 0; i < count; ++i) out[i] = HalfToFloat(Data<uint16_t>()[i]);
  } else {
    TAMIS_ASSERT(ConvertIntegers(dtype_, data_, out, count));
  }
  return result;
}

}  // namespace tamis
