#include "src/ops/op_cast.h"

#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {

Status InferCast(InferContext& context, DType to) {
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers | kBools));
  const bool known = to != DType::kUndefined;
  if (known && to != DType::kBool && !(BitSize(to) >= 8 && IsInteger(to)) && !(BitSize(to) >= 16 && IsFloat(to))) {
    return context.Error(fmt::format("a conversion to {} is not supported", Name(to)));
  }
  if (context.InputShape(0) == nullptr) {
    context.SetOutputDType(0, to);
    return {};
  }
  TAMIS_RETURN_IF_ERROR(SetShape(context, 0, to, *context.InputShape(0)));
  // Lengths survive a detour through floats, as exporters write ceil(n / 2); the narrow integer types would wrap.
  const bool holds_lengths = IsFloat(to) || to == DType::kInt64 || to == DType::kInt32 || to == DType::kUInt64;
  auto contents = Contents(context, 0);
  if (contents && to == DType::kBool) {
    for (Dim& dim : *contents) {
      if (!dim.IsConstant()) return {};
      dim = Dim(dim == Dim(0) ? 0 : 1);
    }
    SetTracked(context, 0, std::move(*contents));
  } else if (contents && holds_lengths) {
    SetTracked(context, 0, std::move(*contents));
  }
  return {};
}

namespace {

double ToWide(double x, double) {
  return x;
}
int64_t ToWide(double x, int64_t) {
  if (std::isnan(x)) return 0;
  return x >= 0x1p63 ? INT64_MAX : x < -0x1p63 ? INT64_MIN : static_cast<int64_t>(x);
}
uint64_t ToWide(double x, uint64_t) {
  if (x < 0x1p63) return static_cast<uint64_t>(ToWide(x, int64_t{}));
  if (std::isnan(x)) return 0;
  return x >= 0x1p64 ? UINT64_MAX : static_cast<uint64_t>(x);
}

// Reads as From and writes as To.
template <class From, class To>
void Convert(const Tensor& from, Tensor& to) {
  constexpr int64_t kBlock = 512;
  const WideReader reader(from, to.dims());
  std::array<From, kBlock> in;
  std::array<To, kBlock> out;
  for (int64_t begin = 0; begin < to.NumElements(); begin += kBlock) {
    const auto size = static_cast<size_t>(std::min(kBlock, to.NumElements() - begin));
    reader.Read<From>(begin, std::span<From>(in).first(size));
    for (size_t i = 0; i < size; ++i) {
      if constexpr (std::is_same_v<From, double>) {
        out[i] = ToWide(in[i], To{});
      } else {
        out[i] = static_cast<To>(in[i]);
      }
    }
    WriteWide<To>(to, begin, std::span<const To>(out).first(size));
  }
}

}  // namespace

void CastElements(EvalContext& context) {
  const Tensor& from = *context.input(0);
  Tensor& to = context.outputs[0];
  const Wide in = WideOf(from.dtype());
  if (in == Wide::kInt64) return Convert<int64_t, int64_t>(from, to);
  if (in == Wide::kUint64) return Convert<uint64_t, uint64_t>(from, to);
  if (to.dtype() == DType::kBool || WideOf(to.dtype()) == Wide::kDouble) return Convert<double, double>(from, to);
  if (WideOf(to.dtype()) == Wide::kInt64) return Convert<double, int64_t>(from, to);
  return Convert<double, uint64_t>(from, to);
}

}  // namespace tamis
