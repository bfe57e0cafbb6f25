// A tensor in host memory: dtype, dimensions, and 64-byte aligned row-major elements.
//
// Copying a Tensor copies a handle; the elements are shared. Clone() copies elements. A Tensor may also be a view on
// memory that somebody else owns (a mapped file, a request's body): Tensor::View keeps `owner` alive for as long as
// any handle exists. Not synchronised: two threads may read one tensor, and nobody may write while they do.
//
// A tensor of DType::kString holds std::string objects: Data<std::string>() and Span<std::string>() read and write
// them, NumBytes() is 0, and raw bytes must not be copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tamis/dtype.h"

namespace tamis {

using Dims = std::vector<int64_t>;

class Tensor {
 public:
  Tensor() = default;
  // Zeroed elements. `dims` must be non-negative and their product must fit in memory.
  Tensor(DType dtype, Dims dims);
  static Tensor View(DType dtype, Dims dims, const void* data, std::shared_ptr<const void> owner);
  template <class T>
  static Tensor Of(DType dtype, Dims dims, std::span<const T> values);
  static Tensor Int64s(std::span<const int64_t> values);  // shape [n]
  static Tensor Float(float value);                       // scalar
  static Tensor Strings(Dims dims, std::vector<std::string> values);

  bool Defined() const { return dtype_ != DType::kUndefined; }
  DType dtype() const { return dtype_; }
  const Dims& dims() const { return dims_; }
  int64_t rank() const { return static_cast<int64_t>(dims_.size()); }
  int64_t dim(int64_t axis) const { return dims_[static_cast<size_t>(axis < 0 ? axis + rank() : axis)]; }
  int64_t NumElements() const;
  size_t NumBytes() const { return ByteSize(dtype_, static_cast<size_t>(NumElements())); }

  const std::byte* raw() const { return data_; }
  std::byte* raw() { return data_; }
  template <class T>
  const T* Data() const {
    return reinterpret_cast<const T*>(data_);
  }
  template <class T>
  T* Data() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  std::span<const T> Span() const {
    return {Data<T>(), static_cast<size_t>(NumElements())};
  }
  template <class T>
  std::span<T> Span() {
    return {Data<T>(), static_cast<size_t>(NumElements())};
  }

  Tensor Clone() const;
  // The same elements under other dimensions; the products must be equal.
  Tensor Reshaped(Dims dims) const;
  // Any integer or bool tensor as int64 values.
  std::vector<int64_t> ToInt64s() const;
  // Any numeric tensor converted to f32 (values rounded to nearest).
  Tensor ToFloat32() const;

 private:
  DType dtype_ = DType::kUndefined;
  Dims dims_;
  std::byte* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

// Product of dimensions; -1 if it overflows 2^62 or a dimension is negative.
int64_t NumElements(std::span<const int64_t> dims);
// "[2, 3, 4]"
std::string ToString(std::span<const int64_t> dims);

template <class T>
Tensor Tensor::Of(DType dtype, Dims dims, std::span<const T> values) {
  Tensor tensor(dtype, std::move(dims));
  T* out = tensor.Data<T>();
  for (size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return tensor;
}

}  // namespace tamis
