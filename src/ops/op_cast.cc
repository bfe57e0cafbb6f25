#include "src/ops/op_cast.h"

#include <cmath>
#include <limits>

#include "src/base/float16.h"

namespace tamis {
namespace {

template <class To, class From>
To Convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From{0};
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    if (std::isnan(value)) return To{0};
    // The bounds are compared as doubles; the upper one may round up, hence >=.
    const double wide = std::trunc(static_cast<double>(value));
    if (wide >= static_cast<double>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
    if (wide <= static_cast<double>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    return static_cast<To>(wide);
  } else {
    return static_cast<To>(value);
  }
}

template <class To, class From>
void ConvertAll(const Tensor& x, Tensor* y) {
  for (int64_t i = 0, n = x.NumElements(); i < n; ++i) y->Data<To>()[i] = Convert<To>(x.Data<From>()[i]);
}

template <class From>
bool ConvertFrom(const Tensor& x, Tensor* y) {
  switch (y->dtype()) {
    case DType::kFloat32:
      ConvertAll<float, From>(x, y);
      return true;
    case DType::kFloat64:
      ConvertAll<double, From>(x, y);
      return true;
    case DType::kBool:
      ConvertAll<bool, From>(x, y);
      return true;
    case DType::kInt8:
      ConvertAll<int8_t, From>(x, y);
      return true;
    case DType::kInt16:
      ConvertAll<int16_t, From>(x, y);
      return true;
    case DType::kInt32:
      ConvertAll<int32_t, From>(x, y);
      return true;
    case DType::kInt64:
      ConvertAll<int64_t, From>(x, y);
      return true;
    case DType::kUInt8:
      ConvertAll<uint8_t, From>(x, y);
      return true;
    case DType::kUInt16:
      ConvertAll<uint16_t, From>(x, y);
      return true;
    case DType::kUInt32:
      ConvertAll<uint32_t, From>(x, y);
      return true;
    case DType::kUInt64:
      ConvertAll<uint64_t, From>(x, y);
      return true;
    default:
      return false;
  }
}

bool IsHalf(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

}  // namespace

Result<Tensor> CastTensor(const Tensor& x, DType to) {
  if (x.dtype() == to) return x;
  if (IsHalf(x.dtype())) return CastTensor(x.ToFloat32(), to);
  if (IsHalf(to)) {
    TAMIS_ASSIGN_OR_RETURN(const Tensor wide, CastTensor(x, DType::kFloat32));
    Tensor y(to, x.dims());
    for (int64_t i = 0, n = x.NumElements(); i < n; ++i) {
      const float value = wide.Data<float>()[i];
      y.Data<uint16_t>()[i] = to == DType::kBFloat16 ? FloatToBf16(value) : FloatToHalf(value);
    }
    return y;
  }
  bool done = false;
  if (BitSize(to) >= 8) {
    Tensor y(to, x.dims());
    switch (x.dtype()) {
      case DType::kFloat32:
        done = ConvertFrom<float>(x, &y);
        break;
      case DType::kFloat64:
        done = ConvertFrom<double>(x, &y);
        break;
      case DType::kBool:
        done = ConvertFrom<bool>(x, &y);
        break;
      case DType::kInt8:
        done = ConvertFrom<int8_t>(x, &y);
        break;
      case DType::kInt16:
        done = ConvertFrom<int16_t>(x, &y);
        break;
      case DType::kInt32:
        done = ConvertFrom<int32_t>(x, &y);
        break;
      case DType::kInt64:
        done = ConvertFrom<int64_t>(x, &y);
        break;
      case DType::kUInt8:
        done = ConvertFrom<uint8_t>(x, &y);
        break;
      case DType::kUInt16:
        done = ConvertFrom<uint16_t>(x, &y);
        break;
      case DType::kUInt32:
        done = ConvertFrom<uint32_t>(x, &y);
        break;
      case DType::kUInt64:
        done = ConvertFrom<uint64_t>(x, &y);
        break;
      default:
        break;
    }
    if (done) return y;
  }
  return UserError("casting {} to {} is not supported", Name(x.dtype()), Name(to));
}

}  // namespace tamis
