#include "src/base/float16.h"
#include "src/ops/op_case.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_small_float.h"

namespace tamis {
namespace {

// Calls f with a zero of the C++ type behind a dtype; half-precision types have none of their own.
template <class F>
void VisitStored(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kFloat32:
      return f(float{});
    case DType::kFloat64:
      return f(double{});
    case DType::kInt8:
      return f(int8_t{});
    case DType::kInt16:
      return f(int16_t{});
    case DType::kInt32:
      return f(int32_t{});
    case DType::kInt64:
      return f(int64_t{});
    case DType::kBool:
    case DType::kUInt8:
      return f(uint8_t{});
    case DType::kUInt16:
      return f(uint16_t{});
    case DType::kUInt32:
      return f(uint32_t{});
    case DType::kUInt64:
      return f(uint64_t{});
    default:
      TAMIS_ASSERT(false);
  }
}

bool IsHalf(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

bool IsSmall(DType dtype) {
  return IsPacked(dtype) || IsSmallFloat(dtype);
}

// Integers of less than a byte, and floats of at most one.
double Decode(DType dtype, uint8_t code) {
  if (IsSmallFloat(dtype)) return DecodeSmallFloat(dtype, code);
  const int bits = BitSize(dtype);
  const bool negative = (dtype == DType::kInt4 || dtype == DType::kInt2) && (code >> (bits - 1)) != 0;
  return code - (negative ? 1 << bits : 0);
}

template <class W>
void LoadSmall(const Tensor& tensor, int64_t first, int64_t step, int64_t count, W* out) {
  const int bits = BitSize(tensor.dtype());
  std::array<W, 256> values;
  for (int code = 0; code < 1 << bits; ++code) {
    const double value = Decode(tensor.dtype(), static_cast<uint8_t>(code));
    if constexpr (std::is_same_v<W, double>) {
      values[static_cast<size_t>(code)] = value;
    } else {
      values[static_cast<size_t>(code)] = static_cast<W>(static_cast<int64_t>(value));
    }
  }
  const auto* from = tensor.Data<uint8_t>();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = first + i * step;
    out[i] = values[bits == 8 ? from[at] : GetPacked(from, at, bits)];
  }
}

// Integers wrap to the low bits; floats are rounded and saturate.
template <class W>
void StoreSmall(Tensor& tensor, int64_t begin, std::span<const W> values) {
  const DType dtype = tensor.dtype();
  auto* to = tensor.Data<uint8_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    const auto at = begin + static_cast<int64_t>(i);
    const unsigned code = IsSmallFloat(dtype) ? EncodeSmallFloat(dtype, static_cast<double>(values[i]))
                                              : static_cast<unsigned>(static_cast<int64_t>(values[i]) & 0xff);
    if (BitSize(dtype) == 8) {
      to[at] = static_cast<uint8_t>(code);
    } else {
      SetPacked(to, at, BitSize(dtype), code);
    }
  }
}

// `count` elements from `first` on, `step` (0 or 1) apart.
template <class W>
void Load(const Tensor& tensor, int64_t first, int64_t step, int64_t count, W* out) {
  if (IsSmall(tensor.dtype())) return LoadSmall(tensor, first, step, count, out);
  if (IsHalf(tensor.dtype())) {
    const auto widen = tensor.dtype() == DType::kFloat16 ? HalfToFloat : Bf16ToFloat;
    const uint16_t* from = tensor.Data<uint16_t>() + first;
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<W>(widen(from[i * step]));
    return;
  }
  VisitStored(tensor.dtype(), [&]<class T>(T) {
    const T* from = tensor.Data<T>() + first;
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<W>(from[i * step]);
  });
}

}  // namespace

WideReader::WideReader(const Tensor& tensor, const Dims& dims)
    : tensor_(tensor), dims_(dims), strides_(dims.size(), 0), contiguous_(tensor.NumElements() == NumElements(dims)) {
  int64_t stride = 1;
  for (size_t back = 1; back <= tensor.dims().size(); ++back) {
    const int64_t own = tensor.dims()[tensor.dims().size() - back];
    if (own != 1) strides_[dims.size() - back] = stride;
    stride *= own;
  }
}

template <class W>
void WideReader::Read(int64_t begin, std::span<W> out) const {
  const auto count = static_cast<int64_t>(out.size());
  if (contiguous_) return Load(tensor_, begin, 1, count, out.data());
  // Not contiguous means that the rank is at least one; rows along the last axis are read whole.
  const int64_t row = dims_.back();
  for (int64_t done = 0; done < count;) {
    const int64_t column = (begin + done) % row;
    int64_t rest = (begin + done) / row;
    int64_t first = column * strides_.back();
    for (size_t axis = dims_.size() - 1; axis-- > 0; rest /= dims_[axis]) first += rest % dims_[axis] * strides_[axis];
    const int64_t size = std::min(row - column, count - done);
    Load(tensor_, first, strides_.back(), size, out.data() + done);
    done += size;
  }
}

template <class W>
void WriteWide(Tensor& tensor, int64_t begin, std::span<const W> values) {
  if (IsHalf(tensor.dtype())) {
    const auto narrow = tensor.dtype() == DType::kFloat16 ? FloatToHalf : FloatToBf16;
    uint16_t* to = tensor.Data<uint16_t>() + begin;
    for (size_t i = 0; i < values.size(); ++i) to[i] = narrow(static_cast<float>(values[i]));
  } else if (IsSmall(tensor.dtype())) {
    StoreSmall(tensor, begin, values);
  } else if (tensor.dtype() == DType::kBool) {
    uint8_t* to = tensor.Data<uint8_t>() + begin;
    for (size_t i = 0; i < values.size(); ++i) to[i] = values[i] != W{} ? 1 : 0;
  } else {
    VisitStored(tensor.dtype(), [&]<class T>(T) {
      T* to = tensor.Data<T>() + begin;
      for (size_t i = 0; i < values.size(); ++i) to[i] = static_cast<T>(values[i]);
    });
  }
}

template void WideReader::Read<double>(int64_t, std::span<double>) const;
template void WideReader::Read<int64_t>(int64_t, std::span<int64_t>) const;
template void WideReader::Read<uint64_t>(int64_t, std::span<uint64_t>) const;
template void WriteWide<double>(Tensor&, int64_t, std::span<const double>);
template void WriteWide<int64_t>(Tensor&, int64_t, std::span<const int64_t>);
template void WriteWide<uint64_t>(Tensor&, int64_t, std::span<const uint64_t>);

Tensor SampleFloats(uint64_t seed, Dims dims, double low, double high) {
  return CaseMaker(seed).Floats(std::move(dims), static_cast<float>(low), static_cast<float>(high));
}

Tensor SampleInts(uint64_t seed, Dims dims, int64_t low, int64_t high) {
  return CaseMaker(seed).Integers(std::move(dims), low, high);
}

}  // namespace tamis
