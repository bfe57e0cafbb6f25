#include "tamis/tensor.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "src/base/float16.h"

namespace tamis {
namespace {

TEST(Tensor, MemoryIsAlignedZeroedAndShared) {
  Tensor tensor(DType::kFloat32, {3, 5});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.raw()) % 64, 0u);
  EXPECT_EQ(tensor.NumBytes(), 60u);
  for (float value : tensor.Span<float>()) EXPECT_EQ(value, 0);
  Tensor handle = tensor;
  handle.Data<float>()[4] = 2;
  EXPECT_EQ(tensor.Data<float>()[4], 2);
  Tensor copy = tensor.Clone();
  copy.Data<float>()[4] = 3;
  EXPECT_EQ(tensor.Data<float>()[4], 2);
  const Tensor view = tensor.Reshaped({15});
  EXPECT_EQ(view.raw(), tensor.raw());
  EXPECT_EQ(view.rank(), 1);
  EXPECT_EQ(tensor.dim(-1), 5);
}

TEST(Tensor, ViewKeepsItsOwner) {
  auto owner = std::make_shared<std::array<float, 2>>(std::array<float, 2>{1, 2});
  std::weak_ptr<std::array<float, 2>> watch = owner;
  Tensor view = Tensor::View(DType::kFloat32, {2}, owner->data(), owner);
  owner.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(view.Data<float>()[1], 2);
  view = Tensor();
  EXPECT_TRUE(watch.expired());
}

TEST(Tensor, EmptyAndScalar) {
  EXPECT_FALSE(Tensor().Defined());
  EXPECT_EQ(Tensor(DType::kInt64, {0, 4}).NumElements(), 0);
  EXPECT_EQ(Tensor(DType::kInt64, {0, 4}).Clone().NumBytes(), 0u);
  EXPECT_EQ(Tensor::Float(1.5f).NumElements(), 1);
  EXPECT_EQ(Tensor::Float(1.5f).rank(), 0);
}

TEST(Tensor, ElementCountsDoNotOverflow) {
  const auto count = [](Dims dims) { return NumElements(dims); };
  EXPECT_EQ(count({}), 1);
  EXPECT_EQ(count({2, 3}), 6);
  EXPECT_EQ(count({2, 0, 3}), 0);
  EXPECT_EQ(count({2, -1}), -1);
  EXPECT_EQ(count({0, -1}), -1);
  EXPECT_EQ(count({int64_t{1} << 40, int64_t{1} << 40}), -1);
  EXPECT_EQ(count({int64_t{1} << 31, int64_t{1} << 31}), int64_t{1} << 62);
  EXPECT_EQ(ToString(Dims{2, 3}), "[2, 3]");
}

TEST(Tensor, IntegersAndFloatsConvert) {
  const std::array<int8_t, 3> small = {-1, 0, 127};
  const Tensor bytes = Tensor::Of<int8_t>(DType::kInt8, {3}, small);
  EXPECT_EQ(bytes.ToInt64s(), (std::vector<int64_t>{-1, 0, 127}));
  EXPECT_EQ(bytes.ToFloat32().Data<float>()[2], 127);
  const std::array<uint64_t, 1> large = {uint64_t{1} << 63};
  EXPECT_EQ(Tensor::Of<uint64_t>(DType::kUInt64, {1}, large).ToFloat32().Data<float>()[0], 0x1p63f);
  const std::array<double, 1> fine = {1.0 + 0x1p-30};
  EXPECT_EQ(Tensor::Of<double>(DType::kFloat64, {1}, fine).ToFloat32().Data<float>()[0], 1);
  const std::array<uint16_t, 2> halves = {0x3c00, 0xc000};
  EXPECT_EQ(Tensor::Of<uint16_t>(DType::kFloat16, {2}, halves).ToFloat32().Data<float>()[1], -2);
}

TEST(DType, SizesAndNames) {
  EXPECT_EQ(ByteSize(DType::kInt4, 3), 2u);
  EXPECT_EQ(ByteSize(DType::kBFloat16, 3), 6u);
  EXPECT_EQ(BitSize(DType::kString), 0);
  for (DType dtype : {DType::kFloat32, DType::kUInt8, DType::kInt64, DType::kBool, DType::kFloat16, DType::kBFloat16}) {
    EXPECT_EQ(FromKserveName(KserveName(dtype)), dtype) << Name(dtype);
  }
  EXPECT_EQ(FromKserveName(""), DType::kUndefined);
  EXPECT_EQ(FromKserveName("fp32"), DType::kUndefined);
  EXPECT_EQ(Name(static_cast<DType>(200)), "undefined");
}

// Every half is what its fields say, and comes back from f32 unchanged.
TEST(Float16, AllHalvesSurviveTheWayThroughFloat) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = HalfToFloat(half);
    const int exponent = (half >> 10) & 31;
    const int mantissa = half & 0x3ff;
    if (exponent == 31 && mantissa != 0) {
      EXPECT_TRUE(std::isnan(value) && std::isnan(HalfToFloat(FloatToHalf(value)))) << bits;
      continue;
    }
    if (exponent < 31) {
      const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
      ASSERT_EQ(std::fabs(value), magnitude) << bits;
    }
    ASSERT_EQ(std::signbit(value), half >> 15 != 0) << bits;
    ASSERT_EQ(FloatToHalf(value), half) << bits;
  }
}

// Halfway between neighbours the even one wins, and the smallest step beyond decides.
TEST(Float16, RoundsToNearestEven) {
  for (uint16_t half = 0; half < 0x7bff; ++half) {
    const float low = HalfToFloat(half);
    const float high = HalfToFloat(static_cast<uint16_t>(half + 1));
    const float middle = (low + high) / 2;
    const auto even = static_cast<uint16_t>(half % 2 == 0 ? half : half + 1);
    ASSERT_EQ(FloatToHalf(middle), even) << half;
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, high)), half + 1) << half;
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, low)), half) << half;
  }
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(FloatToHalf(-1e30f), 0xfc00);
}

TEST(BFloat16, RoundsToNearestEvenAndKeepsNan) {
  EXPECT_EQ(FloatToBf16(1.0f), 0x3f80);
  EXPECT_EQ(FloatToBf16(1.0f + 0x1p-8f), 0x3f80);
  EXPECT_EQ(FloatToBf16(1.0f + 0x1p-8f + 0x1p-20f), 0x3f81);
  EXPECT_EQ(FloatToBf16(1.0f + 3 * 0x1p-8f), 0x3f82);
  EXPECT_TRUE(std::isnan(Bf16ToFloat(FloatToBf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_EQ(Bf16ToFloat(FloatToBf16(-INFINITY)), -INFINITY);
  for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
    ASSERT_EQ(FloatToBf16(Bf16ToFloat(static_cast<uint16_t>(bits))), bits);
  }
}

}  // namespace
}  // namespace tamis
