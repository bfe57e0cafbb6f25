#include "src/kernels/quantized/affine_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

namespace tamis {
namespace {

struct Quantisation {
  float scale;
  int zero;
};

int Low(DType dtype) {
  return dtype == DType::kUInt8 ? 0 : -128;
}
// As DequantizeLinear, Clip and QuantizeLinear compute it, one after the other.
int Exchanged(int code, DType dtype, Quantisation x, float least, float most, Quantisation y) {
  const float number = std::min(std::max(static_cast<float>(code - x.zero) * x.scale, least), most);
  const float rounded = std::nearbyint(number / y.scale) + static_cast<float>(y.zero);
  return static_cast<int>(std::clamp(rounded, static_cast<float>(Low(dtype)), static_cast<float>(Low(dtype) + 255)));
}
CodeTable TableFor(DType dtype, const std::function<int(int)>& exchanged) {
  CodeTable table;
  for (int code = Low(dtype); code < Low(dtype) + 256; ++code) {
    table.codes[static_cast<uint8_t>(code)] = static_cast<uint8_t>(exchanged(code));
  }
  return table;
}
int Computed(const AffineTable& line, int code, int zero) {
  const float number = std::nearbyint(static_cast<float>(code - zero) * line.factor);
  return std::clamp(static_cast<int>(number) + line.offset, line.lowest, line.highest);
}

TEST(AffineTable, IsFoundBetweenAnyTwoQuantisations) {
  std::mt19937 random(1);
  const auto uniform = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  int found = 0;
  constexpr int kCases = 4000;
  for (int i = 0; i < kCases; ++i) {
    const DType dtype = i % 2 == 0 ? DType::kUInt8 : DType::kInt8;
    const auto quantisation = [&] {
      return Quantisation{static_cast<float>(std::exp(uniform(-6, 0))), Low(dtype) + static_cast<int>(random() % 256)};
    };
    const Quantisation x = quantisation(), y = quantisation();
    const auto least = static_cast<float>(i % 3 == 0 ? 0 : -uniform(0, 200) * x.scale);
    const auto most = static_cast<float>(uniform(1, 300) * x.scale);
    const auto exchanged = [&](int code) { return Exchanged(code, dtype, x, least, most, y); };
    const auto line = AsAffine(TableFor(dtype, exchanged), dtype, x.zero, Low(dtype), Low(dtype) + 255);
    if (!line) continue;
    ++found;
    for (int code = Low(dtype); code < Low(dtype) + 256; ++code) {
      ASSERT_EQ(Computed(*line, code, x.zero), exchanged(code)) << "case " << i << ", code " << code;
    }
    // Numbers beyond the codes that occur end at the bounds, as codes do that saturate first.
    ASSERT_EQ(Computed(*line, Low(dtype) - 1000, x.zero), exchanged(Low(dtype)));
    ASSERT_EQ(Computed(*line, Low(dtype) + 1255, x.zero), exchanged(Low(dtype) + 255));
  }
  EXPECT_GT(found, kCases * 9 / 10);  // the others are steps steeper than a factor may be, or ties that round apart
}

TEST(AffineTable, TakesOnlyTheCodesThatOccur) {
  const auto kinked = [](int code) { return code < 100 ? 200 : std::min(code, 180); };
  const CodeTable table = TableFor(DType::kUInt8, kinked);
  EXPECT_FALSE(AsAffine(table, DType::kUInt8, 120, 0, 255));
  const auto line = AsAffine(table, DType::kUInt8, 120, 100, 255);
  ASSERT_TRUE(line);
  for (int code = 100; code < 256; ++code) EXPECT_EQ(Computed(*line, code, 120), kinked(code));
}

TEST(AffineTable, RefusesOtherFunctions) {
  const auto find = [](const std::function<int(int)>& f) {
    return AsAffine(TableFor(DType::kUInt8, f), DType::kUInt8, 128, 0, 255);
  };
  EXPECT_FALSE(find([](int code) { return 255 - code; }));                    // falls
  EXPECT_FALSE(find([](int code) { return code * code / 255; }));             // bends
  EXPECT_FALSE(find([](int code) { return code < 128 ? code / 2 : code; }));  // two slopes, as a LeakyRelu
  EXPECT_FALSE(find([](int code) { return code == 77 ? 78 : code; }));
  ASSERT_TRUE(find([](int /*code*/) { return 9; }));
  EXPECT_EQ(Computed(*find([](int /*code*/) { return 9; }), 3, 128), 9);
}

}  // namespace
}  // namespace tamis
