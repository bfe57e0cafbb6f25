#include "src/ops/op_cast.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_small_float.h"

namespace tamis {
namespace {

Result<ScaleRounding> RoundingOf(const InferContext& context) {
  const std::string mode = context.node().String("round_mode", "up");
  if (mode == "up") return ScaleRounding::kUp;
  if (mode == "down") return ScaleRounding::kDown;
  if (mode == "nearest") return ScaleRounding::kNearest;
  return context.Error(fmt::format("round_mode is '{}', must be up, down or nearest", mode));
}

}  // namespace

Status InferCast(InferContext& context, DType to) {
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kAnyDType));
  if (to != DType::kUndefined && to != DType::kString && BitSize(to) == 0) {
    return context.Error(fmt::format("a conversion to element type {} of ONNX is not supported", static_cast<int>(to)));
  }
  TAMIS_RETURN_IF_ERROR(RoundingOf(context).status());
  if (context.InputShape(0) == nullptr) {
    context.SetOutputDType(0, to);
    return {};
  }
  TAMIS_RETURN_IF_ERROR(SetShape(context, 0, to, *context.InputShape(0)));
  // Lengths survive a detour through floats, as exporters write ceil(n / 2); the narrow types would wrap.
  const bool holds_lengths =
      (IsFloat(to) && BitSize(to) >= 16) || to == DType::kInt64 || to == DType::kInt32 || to == DType::kUInt64;
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

// Calls f(first, elements) for each block of a tensor in its wide type W.
template <class W, class F>
void ForBlocks(const Tensor& from, F&& f) {
  constexpr int64_t kBlock = 512;
  const WideReader reader(from, from.dims());
  std::array<W, kBlock> in;
  for (int64_t begin = 0; begin < from.NumElements(); begin += kBlock) {
    const std::span<W> block(in.data(), static_cast<size_t>(std::min(kBlock, from.NumElements() - begin)));
    reader.Read<W>(begin, block);
    f(begin, block);
  }
}

// Reads as From and writes as To.
template <class From, class To>
void Convert(const Tensor& from, Tensor& to) {
  std::array<To, 512> out;
  ForBlocks<From>(from, [&](int64_t begin, std::span<From> in) {
    for (size_t i = 0; i < in.size(); ++i) {
      if constexpr (std::is_same_v<From, double>) {
        out[i] = ToWide(in[i], To{});
      } else {
        out[i] = static_cast<To>(in[i]);
      }
    }
    WriteWide<To>(to, begin, std::span<const To>(out).first(in.size()));
  });
}

void ConvertToSmallFloat(const Tensor& from, Tensor& to, bool saturate, ScaleRounding rounding) {
  auto* out = to.Data<uint8_t>();
  const int bits = BitSize(to.dtype());
  ForBlocks<double>(from, [&](int64_t begin, std::span<double> in) {
    for (size_t i = 0; i < in.size(); ++i) {
      const uint8_t code = EncodeSmallFloat(to.dtype(), in[i], saturate, rounding);
      const int64_t at = begin + static_cast<int64_t>(i);
      if (bits == 8) {
        out[at] = code;
      } else {
        SetPacked(out, at, bits, code);
      }
    }
  });
}

void ConvertToStrings(const Tensor& from, Tensor& to) {
  auto* out = to.Data<std::string>();
  switch (WideOf(from.dtype())) {
    case Wide::kDouble:
      ForBlocks<double>(from, [&](int64_t, std::span<double> in) {
        for (double x : in) {
          if (std::isnan(x)) {
            *out++ = "NaN";
          } else if (std::isinf(x)) {
            *out++ = x > 0 ? "INF" : "-INF";
          } else if (from.dtype() == DType::kFloat64) {
            *out++ = fmt::format("{}", x);
          } else {
            *out++ = fmt::format("{}", static_cast<float>(x));  // as many digits as tell the value from its neighbours
          }
        }
      });
      break;
    case Wide::kInt64:
      ForBlocks<int64_t>(from, [&](int64_t, std::span<int64_t> in) {
        for (int64_t x : in) *out++ = std::to_string(x);
      });
      break;
    case Wide::kUint64:
      ForBlocks<uint64_t>(from, [&](int64_t, std::span<uint64_t> in) {
        for (uint64_t x : in) *out++ = std::to_string(x);
      });
      break;
  }
}

// The whole of `text`, but for spaces around it and a plus before it, as a number of type T.
template <class T>
std::optional<T> ParseNumber(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_same_v<T, double>) {
    if (error == std::errc::result_out_of_range) {  // too large or too small: which one, the exponent's sign tells
      const size_t exponent = text.find_first_of("eE");
      const bool tiny = exponent != std::string_view::npos && text.find('-', exponent) != std::string_view::npos;
      const double magnitude = tiny ? 0.0 : std::numeric_limits<double>::infinity();
      return text[0] == '-' ? -magnitude : magnitude;
    }
  }
  if (error != std::errc()) return std::nullopt;
  return value;
}

Status ConvertStrings(const EvalContext& context, const Tensor& from, Tensor& to) {
  // Integers beyond 2^53 are not doubles; those that are written as integers are read as such.
  const Wide wide = to.dtype() == DType::kBool ? Wide::kDouble : WideOf(to.dtype());
  Tensor doubles(DType::kFloat64, from.dims());
  Tensor integers(DType::kInt64, from.dims());
  const auto* texts = from.Data<std::string>();
  for (int64_t i = 0; i < from.NumElements(); ++i) {
    std::optional<int64_t> integer;
    if (wide == Wide::kInt64) integer = ParseNumber<int64_t>(texts[i]);
    if (wide == Wide::kUint64) {
      if (const auto value = ParseNumber<uint64_t>(texts[i])) integer = static_cast<int64_t>(*value);
    }
    const auto number = integer ? static_cast<double>(*integer) : ParseNumber<double>(texts[i]);
    if (!number) {
      constexpr size_t kShown = 60;
      return context.Error(fmt::format("element {}, '{}', is not a number", i, texts[i].substr(0, kShown)));
    }
    doubles.Data<double>()[i] = *number;
    integers.Data<int64_t>()[i] = integer ? *integer : ToWide(*number, int64_t{});
  }
  if (wide != Wide::kDouble) {
    Convert<int64_t, int64_t>(integers, to);
  } else if (IsSmallFloat(to.dtype())) {
    ConvertToSmallFloat(doubles, to, context.node.Int("saturate", 1) != 0, ScaleRounding::kUp);
  } else {
    Convert<double, double>(doubles, to);
  }
  return {};
}

void ConvertNumbers(const Tensor& from, Tensor& to) {
  const Wide in = WideOf(from.dtype());
  if (in == Wide::kInt64) {
    Convert<int64_t, int64_t>(from, to);
  } else if (in == Wide::kUint64) {
    Convert<uint64_t, uint64_t>(from, to);
  } else if (to.dtype() == DType::kBool || WideOf(to.dtype()) == Wide::kDouble) {
    Convert<double, double>(from, to);
  } else if (WideOf(to.dtype()) == Wide::kInt64) {
    Convert<double, int64_t>(from, to);
  } else {
    Convert<double, uint64_t>(from, to);
  }
}

}  // namespace

Tensor CastTensor(const Tensor& from, DType to) {
  if (from.dtype() == to) return from;
  Tensor result(to, from.dims());
  ConvertNumbers(from, result);
  return result;
}

Status EvalCast(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindAny(context));
  const Tensor& from = *context.input(0);
  Tensor& to = context.outputs[0];
  if (from.dtype() == to.dtype()) {
    to = from;
    return {};
  }
  if (from.dtype() == DType::kString) return ConvertStrings(context, from, to);
  if (to.dtype() == DType::kString) {
    ConvertToStrings(from, to);
    return {};
  }
  if (IsSmallFloat(to.dtype())) {
    TAMIS_ASSIGN_OR_RETURN(const ScaleRounding rounding, RoundingOf(*bound->infer));
    ConvertToSmallFloat(from, to, context.node.Int("saturate", 1) != 0, rounding);
    return {};
  }
  ConvertNumbers(from, to);
  return {};
}

}  // namespace tamis
