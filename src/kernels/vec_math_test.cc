// The functions of vec_math.h for the instruction set that tests are compiled for; kernels' tests reach the others'.
#include "src/kernels/vec_activation.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace tamis {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float LaneOf(Vec v, int64_t lane) {
  float lanes[kLanes];
  Store(lanes, v);
  return lanes[lane];
}

// Numbers of every magnitude and sign, NaNs of many payloads and the infinities: kLanes of them a call.
template <class Visit>
void ForFloats(uint32_t step, const Visit& visit) {
  float x[kLanes];
  int64_t filled = 0;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += step) {
    x[filled++] = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (filled == kLanes) {
      visit(x);
      filled = 0;
    }
  }
  for (int64_t i = 0; i < kLanes; ++i) x[i] = i % 2 == 0 ? kInfinity : -kInfinity;
  visit(x);
}

// The largest error in units of the last place of the result, where that is a normal number.
template <class F, class G>
double WorstError(const F& f, const G& exact) {
  double worst = 0;
  ForFloats(9973, [&](const float* x) {
    const Vec y = f(Load(x));
    for (int64_t i = 0; i < kLanes; ++i) {
      const float got = LaneOf(y, i);
      if (std::isnan(x[i])) {
        EXPECT_TRUE(std::isnan(got)) << std::bit_cast<uint32_t>(x[i]);
        continue;
      }
      const double want = exact(static_cast<double>(x[i]));
      if (std::fabs(want) < std::numeric_limits<float>::min()) {
        EXPECT_LE(std::fabs(got), std::numeric_limits<float>::min()) << x[i];
        continue;
      }
      if (std::isinf(want) || std::isinf(got)) {
        EXPECT_EQ(got, static_cast<float>(want)) << x[i];
        continue;
      }
      worst = std::max(worst, std::fabs(got - want) / std::ldexp(1, std::ilogb(want) - 23));
    }
  });
  return worst;
}

TEST(VecMath, IsAsExactAsItSays) {
  EXPECT_LE(WorstError([](Vec x) { return Sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }), 4);
  EXPECT_LE(WorstError([](Vec x) { return Tanh(x); }, [](double x) { return std::tanh(x); }), 3);
  const auto in_range = [](Vec x) { return ExpOfMinus(Min(Set(87), Max(Set(-88), x))); };
  EXPECT_LE(WorstError(in_range, [](double x) { return std::exp(-std::fmin(87, std::fmax(-88, x))); }), 2.1);
}

TEST(VecMath, GeluOfLargeNegativeNumbersIsNothing) {
  for (const float x : {-5.9F, -7.F, -1e4F, -1e12F, -3e38F}) EXPECT_NEAR(LaneOf(Gelu(Set(x)), 0), 0, 1e-6) << x;
  EXPECT_TRUE(std::isnan(LaneOf(Gelu(Set(NAN)), 0)));
}

TEST(VecMath, GeluByTanhKeepsWhatIsLeftOfLargeNegativeNumbers) {
  const auto exact = [](double x) { return x / (1 + std::exp(-2 * 0.7978845608028654 * (x + 0.044715 * x * x * x))); };
  for (float x = -4; x < 4; x += 0.001f) {
    const double want = exact(x);
    EXPECT_NEAR(LaneOf(GeluTanh(Set(x)), 0), want, std::fabs(want) * 4e-6 + 1e-30) << x;
  }
}

TEST(VecMath, ActivationsReachTheirLimits) {
  for (const float x : {1e6f, 1e38f, kInfinity}) {
    EXPECT_EQ(LaneOf(GeluTanh(Set(x)), 0), x);
    EXPECT_EQ(LaneOf(Silu(Set(x)), 0), x);
    EXPECT_NEAR(LaneOf(GeluTanh(Set(-x)), 0), 0, 1e-30);
    EXPECT_NEAR(LaneOf(Silu(Set(-x)), 0), 0, 1e-30);
  }
}

// Each of several vectors comes out as it does alone, to the bit; a NaN as some NaN.
TEST(VecMath, LockstepChangesNothing) {
  const ActivationParameters parameters = {Set(0.3f), Set(0.7f)};
  for (int kind = 0; kind <= static_cast<int>(Activation::kMish); ++kind) {
    const auto activation = static_cast<Activation>(kind);
    ForFloats(1000003, [&](const float* x) {
      const Vec a = Load(x), b = a * Set(-0.37f), c = Min(Set(3), Max(Set(-3), a));
      const Vecs<3> together = Activate(activation, parameters, Vecs<3>{{a, b, c}});
      const Vec alone[] = {a, b, c};
      Vec all[] = {a, b, c, a, b, c, a};
      ActivateAll<7>(activation, parameters, all);
      for (int i = 0; i < 7; ++i) {
        const Vec expected = Activate(activation, parameters, alone[i % 3]);
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          const auto bits = [lane](Vec v) {
            const float number = LaneOf(v, lane);
            return std::bit_cast<uint32_t>(std::isnan(number) ? NAN : number);
          };
          EXPECT_EQ(bits(all[i]), bits(expected)) << kind << " " << LaneOf(alone[i % 3], lane);
          if (i < 3) {
            EXPECT_EQ(bits(together.v[i]), bits(expected)) << kind << " " << LaneOf(alone[i], lane);
          }
        }
      }
    });
  }
}

}  // namespace
}  // namespace tamis
