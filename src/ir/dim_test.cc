#include "src/ir/dim.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tamis {
namespace {

const Dim kB = Dim::Symbol("b");
const Dim kN = Dim::Symbol("n");

TEST(Dim, PolynomialsAreCanonical) {
  EXPECT_EQ(kB * (kN + Dim(2)), kN * kB + kB + kB);
  EXPECT_EQ(kB - kB, Dim(0));
  EXPECT_TRUE((kB - kB).IsConstant());
  EXPECT_EQ((Dim(2) * Dim(3)).Constant(), 6);
  EXPECT_FALSE(kB.Constant().has_value());
  EXPECT_EQ((kB + kN) * (kB - kN), kB * kB - kN * kN);
  EXPECT_FALSE(kB == kN);
}

TEST(Dim, TextReadsAsMathematics) {
  EXPECT_EQ(Dim().ToString(), "0");
  EXPECT_EQ(Dim(-3).ToString(), "-3");
  EXPECT_EQ((Dim(2) * kB * kN + Dim(1)).ToString(), "2*b*n + 1");
  EXPECT_EQ((Dim(0) - kB).ToString(), "-b");
  EXPECT_EQ(Dim::Max(kB, kN).ToString(), "max(b, n)");
  EXPECT_EQ(Dim::FloorDiv(kN + Dim(1), Dim(2)).ToString(), "floor((n + 1) / 2)");
  EXPECT_EQ(Dim::FloorDiv(Dim(3) * kN, kB).ToString(), "floor(3*n / b)");
  EXPECT_EQ(Dim::FloorDiv(kN, Dim(2) * kB).ToString(), "floor(n / (2*b))");
  EXPECT_EQ(ToString(Shape{kB, Dim(3)}), "[b, 3]");
}

TEST(Dim, DivisionIsExactWhereItCanBe) {
  EXPECT_EQ(Dim::FloorDiv(Dim(6) * kB * kN, Dim(3) * kN), Dim(2) * kB);
  EXPECT_EQ(Dim::FloorDiv(Dim(4) * kN + Dim(5), Dim(4)), kN + Dim(1));
  EXPECT_EQ(Dim::Mod(Dim(4) * kN + Dim(5), Dim(4)), Dim(1));
  EXPECT_EQ(Dim::FloorDiv(Dim(-7), Dim(2)), Dim(-4));
  EXPECT_EQ(Dim::Mod(Dim(-7), Dim(2)), Dim(1));
  EXPECT_EQ(Dim::CeilDiv(Dim(7), Dim(2)), Dim(4));
  EXPECT_EQ(Dim::FloorDiv(kN, kN), Dim(1));
  EXPECT_FALSE(Dim::FloorDiv(kN, Dim(2)) == kN);
}

TEST(Dim, DivisionByZeroHasNoValue) {
  EXPECT_FALSE(Dim::FloorDiv(Dim(1), Dim(0)).Evaluate({}).has_value());
  EXPECT_FALSE(Dim::Mod(kN, kB).Evaluate({{"n", 3}, {"b", 0}}).has_value());
}

TEST(Dim, MinimumAndMaximumSimplify) {
  EXPECT_EQ(Dim::Max(kN, Dim(1)), kN);
  EXPECT_EQ(Dim::Min(kN, Dim(1)), Dim(1));
  EXPECT_EQ(Dim::Max(kN, Dim::Min(kN, Dim(512))), kN);
  EXPECT_EQ(Dim::Min(kB * kN, kB), kB);
  EXPECT_EQ(Dim::Max(kN - Dim(1), Dim(0)), kN - Dim(1));
  EXPECT_EQ(Dim::Min(Dim::FloorDiv(kN, Dim(2)), kN), Dim::FloorDiv(kN, Dim(2)));
  EXPECT_FALSE(Dim::Max(kN, Dim(2)) == kN);
}

TEST(Dim, NonNegativeShowsOnlyWhatHolds) {
  EXPECT_TRUE(Dim(0).NonNegative());
  EXPECT_FALSE(Dim(-1).NonNegative());
  EXPECT_TRUE((kN - Dim(1)).NonNegative());
  EXPECT_FALSE((kN - Dim(2)).NonNegative());
  EXPECT_TRUE((kB * kN - kN).NonNegative());
  EXPECT_FALSE((kB - kN).NonNegative());
  EXPECT_TRUE((kN - Dim::FloorDiv(kN + Dim(1), Dim(2))).NonNegative());
  EXPECT_TRUE((Dim(2) - Dim::Mod(kN, Dim(3))).NonNegative());
  EXPECT_FALSE((kN - Dim::Max(kN, kB)).NonNegative());
  EXPECT_TRUE((Dim::Max(kN, kB) - kN).NonNegative());
}

TEST(Dim, SizesThatDataDecidesMayBeZero) {
  for (const char* name : {"boxes.dim0", "boxes?"}) {
    const Dim found = Dim::Symbol(name);
    EXPECT_TRUE(found.NonNegative()) << name;
    EXPECT_TRUE((kN * found).NonNegative()) << name;
    EXPECT_TRUE((kN + found - Dim(1)).NonNegative()) << name;
    EXPECT_FALSE((found - Dim(1)).NonNegative()) << name;
    EXPECT_FALSE((kN * found - Dim(1)).NonNegative()) << name;
  }
  EXPECT_TRUE((Dim::Symbol("x_dim0") - Dim(1)).NonNegative());
  EXPECT_TRUE((Dim::Symbol("x.dim") - Dim(1)).NonNegative());
}

TEST(Dim, EvaluateNeedsEverySymbolAndNoOverflow) {
  const Dim dim = kB * kN + Dim(1);
  EXPECT_EQ(dim.Evaluate({{"b", 3}, {"n", 4}}), 13);
  EXPECT_FALSE(dim.Evaluate({{"b", 3}}).has_value());
  EXPECT_FALSE(dim.Evaluate({{"b", int64_t{1} << 40}, {"n", int64_t{1} << 40}}).has_value());
}

TEST(Dim, SubstitutionAndSymbols) {
  const Dim dim = Dim::FloorDiv(kN + Dim(1), Dim(2)) * kB;
  EXPECT_EQ(dim.Substitute({{"n", Dim(2) * Dim::Symbol("m") + Dim(1)}}), (Dim::Symbol("m") + Dim(1)) * kB);
  EXPECT_EQ(dim.Substitute({{"n", Dim(7)}, {"b", Dim(2)}}).Constant(), 8);
  std::vector<std::string> symbols;
  dim.CollectSymbols(&symbols);
  std::sort(symbols.begin(), symbols.end());
  EXPECT_EQ(symbols, (std::vector<std::string>{"b", "n"}));
  EXPECT_EQ(ConstantDims({Dim(2), Dim(3)}), (std::vector<int64_t>{2, 3}));
  EXPECT_FALSE(ConstantDims({Dim(2), kN}).has_value());
  EXPECT_EQ(Product({kB, kN, Dim(2)}, 1, 3), Dim(2) * kN);
}

// Random expressions: whatever is simplified on the way, the value stays what plain arithmetic gives, and what is shown
// to be non-negative is.
class Expression {
 public:
  explicit Expression(uint64_t seed) : random_(seed) {}
  std::pair<Dim, int64_t> Make(int depth, const std::map<std::string, int64_t>& binding) {
    const auto pick = [&](int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); };
    if (depth == 0) {
      if (pick(3) == 0) {
        const int64_t value = pick(9) - 3;
        return {Dim(value), value};
      }
      const std::string name(1, static_cast<char>('a' + pick(3)));
      return {Dim::Symbol(name), binding.at(name)};
    }
    const auto [a, x] = Make(depth - 1, binding);
    const auto [b, y] = Make(depth - 1, binding);
    const int64_t k = 1 + pick(5);
    switch (pick(7)) {
      case 0:
        return {a + b, x + y};
      case 1:
        return {a - b, x - y};
      case 2:
        return {a * b, x * y};
      case 3:
        return {Dim::Min(a, b), std::min(x, y)};
      case 4:
        return {Dim::Max(a, b), std::max(x, y)};
      case 5:
        return {Dim::FloorDiv(a, Dim(k)), (x - ((x % k + k) % k)) / k};
      default:
        return {Dim::Mod(a, Dim(k)), (x % k + k) % k};
    }
  }

 private:
  std::mt19937_64 random_;
};

TEST(Dim, SimplificationKeepsValues) {
  int shown = 0;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    std::mt19937_64 random(seed * 7 + 1);
    std::map<std::string, int64_t> binding;
    for (const char* name : {"a", "b", "c"}) binding[name] = 1 + static_cast<int64_t>(random() % 6);
    const auto [dim, value] = Expression(seed).Make(1 + static_cast<int>(seed % 3), binding);
    ASSERT_EQ(dim.Evaluate(binding), value) << "seed " << seed << ": " << dim.ToString();
    if (dim.NonNegative()) {
      ++shown;
      ASSERT_GE(value, 0) << "seed " << seed << ": " << dim.ToString();
    }
  }
  EXPECT_GT(shown, 400);
}

}  // namespace
}  // namespace tamis
