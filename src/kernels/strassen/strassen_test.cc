// Strassen's method: its seven products are the product; the kernels on small integers exactly, on random numbers
// within the bound of their own sums; entries of a batch do not mix.
#include "src/kernels/strassen/strassen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "src/base/cpu.h"
#include "src/kernels/gemm/kernel_case.h"
#include "src/kernels/reference_case.h"
#include "src/ops/op_tamis.h"

namespace tamis {
namespace {

using kernel_test::NodeSpec;
using kernel_test::RandomTensor;
using kernel_test::ReferenceCase;

constexpr unsigned kSeed = 1969;

TEST(Strassen, SevenProductsAreTheProduct) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  std::normal_distribution<double> normal;
  double x[2][2], w[2][2], y[2][2] = {};
  for (auto* const matrix : {&x, &w}) {
    for (auto& row : *matrix) {
      for (double& v : row) v = normal(random);
    }
  }
  const auto sum = [](const int(&factors)[2][2], const double(&of)[2][2]) {
    double total = 0;
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 2; ++j) total += factors[i][j] * of[i][j];
    }
    return total;
  };
  for (const strassen::Product& product : strassen::kMethod) {
    const double value = sum(product.x, x) * sum(product.weight, w);
    for (int r = 0; r < 2; ++r) {
      for (int o = 0; o < 2; ++o) y[r][o] += product.y[r][o] * value;
    }
  }
  for (int r = 0; r < 2; ++r) {
    for (int o = 0; o < 2; ++o) EXPECT_NEAR(y[r][o], x[r][0] * w[o][0] + x[r][1] * w[o][1], 1e-14) << r << o;
  }
}

Tensor SmallIntegers(Dims dims, uint64_t seed) {
  Tensor tensor = RandomTensor(DType::kFloat32, std::move(dims), seed, -4.5, 4.5);
  for (float& v : tensor.Span<float>()) v = std::round(v);
  return tensor;
}

// The largest error that a result may have: of sums as long as half of the depth, each term and the sums that it is
// made of rounded, over the magnitudes of all products that the result takes. x is [entries, rows, depth].
double Bound(const Tensor& x, const Tensor& weight) {
  const int64_t rows = x.dim(1), depth = x.dim(2), outputs = weight.dim(0);
  const int64_t half = (depth + 7) / 8 * 4, first_outputs = (outputs + 63) / 64 * 32;
  const auto at = [](const Tensor& t, int64_t rows_of_t, int64_t row, int64_t k) {
    const int64_t columns = t.dim(-1);
    return row < rows_of_t && k < columns ? static_cast<double>(t.Data<float>()[row * columns + k]) : 0;
  };
  double largest = 0;
  for (int64_t pair = 0; pair < rows; pair += 2) {
    for (int64_t output = 0; output < first_outputs; ++output) {
      double magnitude[2][2] = {};
      for (const strassen::Product& product : strassen::kMethod) {
        double of_product = 0;
        for (int64_t k = 0; k < half; ++k) {
          double of_x = 0, of_weight = 0;
          for (int i = 0; i < 2; ++i) {
            for (int d = 0; d < 2; ++d) {
              of_x += std::abs(product.x[i][d] * at(x, rows, pair + i, d * half + k));
              of_weight +=
                  std::abs(product.weight[i][d] * at(weight, outputs, i * first_outputs + output, d * half + k));
            }
          }
          of_product += of_x * of_weight;
        }
        for (int r = 0; r < 2; ++r) {
          for (int o = 0; o < 2; ++o) magnitude[r][o] += std::abs(product.y[r][o]) * of_product;
        }
      }
      for (const auto& row : magnitude) largest = std::max({largest, row[0], row[1]});
    }
  }
  return static_cast<double>(half + 10) * static_cast<double>(std::numeric_limits<float>::epsilon()) * largest;
}

NodeSpec LinearSpec(Activation activation, DType out = DType::kFloat32) {
  NodeSpec spec = {"Linear", std::string(kTamisDomain), {{"output_dtype", static_cast<int64_t>(out)}}};
  if (activation != Activation::kNone) spec.attributes["activation"] = std::string(Name(activation));
  return spec;
}

// There are kernels for AVX2 and above only.
bool RunsHere() {
  return Cpu().isa >= Isa::kAvx2;
}

TEST(Strassen, AllKernels) {
  kernel_test::NoteFamilyChecked("strassen");
  if (!RunsHere()) GTEST_SKIP() << "no AVX2 here";
  std::vector<kernel_test::KernelCase> cases;
  uint64_t seed = kSeed;
  // Tails of everything: of the rows of an entry, of both halves of the depth, of both halves of the outputs.
  for (const Dims& x : {Dims{1, 2, 8}, Dims{2, 5, 13}, Dims{3, 4, 70}, Dims{1, 61, 40}, Dims{2, 2, 17, 200}}) {
    for (const int64_t outputs : {33, 64, 97, 192}) {
      for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
        const Tensor weight = SmallIntegers({outputs, x.back()}, ++seed);
        Dims y = x;
        y.back() = outputs;
        const bool epilogue = activation == Activation::kRelu;
        const Tensor bias = epilogue ? SmallIntegers({outputs}, ++seed) : Tensor();
        const Tensor residual = epilogue ? SmallIntegers(y, ++seed) : Tensor();
        cases.push_back(ReferenceCase(LinearSpec(activation), {SmallIntegers(x, ++seed), weight, bias, residual}, {1}));
        cases.back().relative = 0;
      }
    }
  }
  // Rows, features and outputs next to far larger and smaller ones: all scales are powers of two, so sums stay exact.
  const auto exponent = [](int64_t i) {
    constexpr int kExponents[] = {0, 30, -20, 3, 0, -12, 25, 0, 20};
    return kExponents[i % 9];
  };
  const auto uneven = [&](Dims dims, uint64_t s, const auto& power) {
    Tensor tensor = SmallIntegers(dims, s);
    const int64_t columns = dims.back();
    for (int64_t i = 0; i < tensor.NumElements(); ++i) {
      tensor.Data<float>()[i] = std::ldexp(tensor.Data<float>()[i], power(i / columns, i % columns));
    }
    return tensor;
  };
  cases.push_back(ReferenceCase(
      LinearSpec(Activation::kNone),
      {uneven({1, 19, 40}, ++seed, [&](int64_t row, int64_t k) { return exponent(row) + exponent(k + 4); }),
       uneven({80, 40}, ++seed, [&](int64_t output, int64_t k) { return exponent(output + 2) - exponent(k + 4); })},
      {1}));
  cases.back().relative = 0;
  // More pairs than a block holds, work that threads take from one another, and a residual in bf16.
  const Tensor residual = kernel_test::Converted(SmallIntegers({1, 1001, 100}, ++seed), DType::kBFloat16);
  cases.push_back(
      ReferenceCase(LinearSpec(Activation::kNone),
                    {SmallIntegers({1, 1001, 72}, ++seed), SmallIntegers({100, 72}, ++seed), Tensor(), residual}, {1}));
  cases.back().relative = 0;
  for (int activation = 0; activation <= static_cast<int>(Activation::kMish); ++activation) {
    const auto of = static_cast<Activation>(activation);
    if (HasParameters(of)) continue;  // they are every kernel's, see gemm_test.cc
    const Tensor x = RandomTensor(DType::kFloat32, {1, 31, 72}, ++seed);
    const Tensor weight = RandomTensor(DType::kFloat32, {100, 72}, ++seed, -0.3, 0.3);
    for (const DType out : {DType::kFloat32, DType::kBFloat16}) {
      kernel_test::KernelCase c =
          ReferenceCase(LinearSpec(of, out), {x, weight, RandomTensor(DType::kFloat32, {100}, ++seed)}, {1});
      c.absolute = 1.2 * Bound(x, weight) + (of > Activation::kClip ? 2e-6 : 0);
      c.relative = of > Activation::kClip ? 2e-6 : 0;
      cases.push_back(std::move(c));
    }
  }
  // A convolution is a product of pixels, here of an odd number of them.
  const NodeSpec conv = {"ChannelsLastConv",
                         std::string(kTamisDomain),
                         {{"strides", std::vector<int64_t>{1, 1}},
                          {"pads", std::vector<int64_t>{0, 0, 0, 0}},
                          {"dilations", std::vector<int64_t>{1, 1}},
                          {"group", int64_t{1}},
                          {"output_dtype", static_cast<int64_t>(DType::kFloat32)}}};
  cases.push_back(
      ReferenceCase(conv, {SmallIntegers({2, 5, 3, 24}, ++seed), SmallIntegers({80, 1, 1, 24}, ++seed)}, {1}));
  cases.back().relative = 0;
  kernel_test::CheckFamily("strassen", cases);
}

TEST(Strassen, SaysWhatItDoesNotTake) {
  if (!RunsHere()) GTEST_SKIP() << "no AVX2 here";
  const auto refuses = [](Dims x, int64_t outputs, std::string_view reason) {
    const Tensor weight = SmallIntegers({outputs, x.back()}, 3);
    kernel_test::ExpectRefused(
        "strassen", ReferenceCase(LinearSpec(Activation::kNone), {SmallIntegers(std::move(x), 2), weight}, {1}),
        reason);
  };
  refuses({8, 64}, 64, "rows of different entries would mix");
  refuses({8, 1, 64}, 64, "one row for each entry");
  refuses({1, 8, 64}, 32, "32 outputs; needs more than 32");
  refuses({1, 8, 4}, 64, "a depth of 4; needs more than 4");
}

// Calls use(kernel, case) for each kernel of the family, bound to y = x w^T.
template <class Use>
void ForEachKernel(const Tensor& x, const Tensor& weight, int threads, const Use& use) {
  Dims y = x.dims();
  y.back() = weight.dim(0);
  tamis::KernelCase c("Linear", {}, {x, weight, Tensor(), Tensor()}, DType::kFloat32, y, Pattern::kDense, threads);
  int found = 0;
  for (const KernelDef* def : CandidateKernels(c.problem, nullptr)) {
    if (def->family != "strassen") continue;
    SCOPED_TRACE(def->name);
    const auto kernel = def->prepare(c.problem, c.cache);
    ASSERT_TRUE(kernel.ok()) << kernel.status().message();
    use(**kernel, c);
    ++found;
  }
  EXPECT_GT(found, 0);
}

TEST(Strassen, AnEntryOfTheBatchKnowsOfNoOther) {
  if (!RunsHere()) GTEST_SKIP() << "no AVX2 here";
  for (const int64_t rows : {6, 7}) {
    const Tensor weight = RandomTensor(DType::kFloat32, {96, 40}, kSeed);
    const Tensor x = RandomTensor(DType::kFloat32, {3, rows, 40}, kSeed + 1);
    ForEachKernel(x, weight, 2, [&](const PreparedKernel& kernel, tamis::KernelCase& c) {
      ThreadPool pool(2);
      Tensor workspace = WorkspaceFor(kernel);
      c.Run(kernel, workspace, pool);
      const std::vector<float> before(c.output.Data<float>(), c.output.Data<float>() + c.output.NumElements());
      float* const entry = c.inputs[0].Data<float>() + rows * 40;
      const std::vector<float> kept(entry, entry + rows * 40);
      std::fill_n(entry, rows * 40, std::numeric_limits<float>::quiet_NaN());
      c.Run(kernel, workspace, pool);
      std::copy(kept.begin(), kept.end(), entry);
      const auto size = static_cast<size_t>(rows * 96);
      for (const size_t other : {size_t{0}, 2 * size}) {
        EXPECT_EQ(std::memcmp(c.output.Data<float>() + other, before.data() + other, size * sizeof(float)), 0)
            << "entry " << other / size << " of " << rows << " rows";
      }
      EXPECT_TRUE(std::isnan(c.output.Data<float>()[size]));
    });
  }
}

}  // namespace
}  // namespace tamis
