// Every Linear kernel of the list against a reference in double: exactly on small integers, within the bound of f32
// accumulation on random numbers; sizes with tails, every epilogue, mixed dtypes, one to three threads.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <thread>

#include "src/kernels/family_test.h"
#include "src/kernels/gemm/kernel_case.h"
#include "src/kernels/gemm/packed_columns.h"
#include "src/kernels/gemm/packed_panels.h"
#include "src/ops/op_tamis.h"

namespace tamis {
namespace {

constexpr unsigned kSeed = 20240601;

// As main() does it: oneDNN under the cap of TAMIS_ISA, for all tests of this executable.
class LibrariesEnvironment : public ::testing::Environment {
 public:
  void SetUp() override { ConfigureLibraries(); }
};
[[maybe_unused]] const auto* const kLibraries = ::testing::AddGlobalTestEnvironment(new LibrariesEnvironment);

struct LinearCase {
  int64_t rows = 1, outputs = 1, depth = 1;
  DType in = DType::kFloat32, out = DType::kFloat32;
  Pattern pattern = Pattern::kDense;
  bool bias = false, residual = false;
  Activation activation = Activation::kNone;
  bool integers = false;
  bool paired = false;
  int threads = 1;

  std::string Text() const {
    return fmt::format("{}x{}x{} {}->{} {}{} bias {} residual {} '{}' integers {} threads {} seed {}", rows, outputs,
                       depth, Name(in), Name(out), Name(pattern), paired ? " paired" : "", bias, residual,
                       Name(activation), integers, threads, kSeed);
  }
};

Tensor Fill(Dims dims, bool integers, std::mt19937& random) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  std::uniform_int_distribution<int> small(-4, 4);
  std::normal_distribution<float> normal;
  for (float& v : tensor.Span<float>()) v = integers ? static_cast<float>(small(random)) : normal(random);
  return tensor;
}

std::unique_ptr<KernelCase> Make(const LinearCase& c) {
  std::mt19937 random(kSeed);
  Tensor x = Fill({c.rows, c.depth}, c.integers, random);
  Tensor weight = Fill({c.outputs, c.depth}, c.integers, random);
  Tensor bias = c.bias ? Fill({c.outputs}, c.integers, random) : Tensor();
  Tensor residual = c.residual ? Fill({c.rows, c.outputs}, c.integers, random) : Tensor();
  if (c.pattern == Pattern::kTwoFour) MakeTwoFour(weight, random);
  if (c.paired) MakePaired(weight);
  if (c.in == DType::kBFloat16) {
    x = ToBf16(x);
    weight = ToBf16(weight);
  }
  if (c.residual && c.out == DType::kBFloat16) residual = ToBf16(residual);
  std::map<std::string, Attribute> attributes;
  if (c.activation != Activation::kNone) attributes["activation"] = std::string(Name(c.activation));
  if (c.activation == Activation::kClip) attributes = {{"activation", "Clip"}, {"clip_min", -1.5F}, {"clip_max", 2.F}};
  if (c.activation != Activation::kClip && HasParameters(c.activation)) {
    attributes["alpha"] = 0.3F;
    attributes["beta"] = 0.4F;
  }
  return std::make_unique<KernelCase>("Linear", attributes, std::vector<Tensor>{x, weight, bias, residual}, c.out,
                                      Dims{c.rows, c.outputs}, c.pattern, c.threads);
}

struct Expected {
  std::vector<double> value;
  std::vector<double> bound;  // how far a correct kernel may be off
};

Expected Reference(const KernelCase& k, const LinearCase& c) {
  const Tensor x = k.inputs[0].ToFloat32();
  const Tensor w = k.inputs[1].ToFloat32();
  const Tensor residual = c.residual ? k.inputs[3].ToFloat32() : Tensor();
  const Epilogue epilogue = EpilogueOf(k.node);
  Expected expected;
  for (int64_t m = 0; m < c.rows; ++m) {
    for (int64_t n = 0; n < c.outputs; ++n) {
      double sum = 0;
      double magnitude = 0;
      const auto add = [&](double term) {
        sum += term;
        magnitude += std::abs(term);
      };
      for (int64_t i = 0; i < c.depth; ++i) {
        add(static_cast<double>(x.Data<float>()[m * c.depth + i]) *
            static_cast<double>(w.Data<float>()[n * c.depth + i]));
      }
      if (c.bias) add(static_cast<double>(k.inputs[2].Data<float>()[n]));
      if (c.residual) add(static_cast<double>(residual.Data<float>()[m * c.outputs + n]));
      const double value = Apply(epilogue, sum);
      // Accumulation in f32 (bf16 pairs round once more), the activation's own error, the rounding of y.
      const double epsilon = static_cast<double>(std::numeric_limits<float>::epsilon());
      double bound = c.integers ? 0 : static_cast<double>(c.depth + 4) * epsilon * magnitude;
      if (c.activation > Activation::kClip) bound = 1.2 * bound + 2e-6 * std::max(1.0, std::abs(value));
      if (c.out == DType::kBFloat16) bound += std::abs(value) * 0x1p-8;
      expected.value.push_back(value);
      expected.bound.push_back(bound);
    }
  }
  return expected;
}

// Runs all kernels that accept the case and records their names.
void Check(const LinearCase& c, std::set<std::string_view>& reached) {
  SCOPED_TRACE(c.Text());
  const auto k = Make(c);
  const Expected expected = Reference(*k, c);
  ThreadPool pool(c.threads);
  std::vector<Refusal> refused;
  const auto kernels = CandidateKernels(k->problem, &refused);
  ASSERT_FALSE(kernels.empty());
  for (const Refusal& refusal : refused) EXPECT_FALSE(refusal.reason.empty()) << refusal.kernel->name;
  for (const KernelDef* kernel : kernels) {
    SCOPED_TRACE(kernel->name);
    reached.insert(kernel->name);
    EXPECT_GT(kernel->cost(k->problem), 0);
    auto prepared = kernel->prepare(k->problem, k->cache);
    ASSERT_TRUE(prepared.ok()) << prepared.status().message();
    Tensor workspace = WorkspaceFor(**prepared);
    std::memset(k->output.raw(), 0x7f, k->output.NumBytes());
    const auto compare = [&](const char* where) {
      const Tensor y = k->output.ToFloat32();
      int shown = 0;
      for (int64_t i = 0; i < y.NumElements() && shown < 4; ++i) {
        const auto at = static_cast<size_t>(i);
        const double got = static_cast<double>(y.Data<float>()[i]);
        if (!(std::abs(got - expected.value[at]) <= expected.bound[at])) {
          ADD_FAILURE() << "element " << i << where << " is " << got << ", expected " << expected.value[at] << " +- "
                        << expected.bound[at];
          ++shown;
        }
      }
    };
    k->Run(**prepared, workspace, pool);
    compare("");
    if (!k->RunsOverResidual(*kernel)) continue;
    k->RunOverResidual(**prepared, workspace, pool);
    compare(" over the residual");
  }
}

bool RunsHere(const KernelDef& kernel) {
  return kernel.isa <= Cpu().isa && MachineHas(kernel.feature);
}

std::vector<DType> DTypes(Pattern pattern) {
  std::vector<DType> dtypes = {DType::kFloat32};
  if (pattern == Pattern::kTwoFour || Cpu().avx512_bf16) dtypes.push_back(DType::kBFloat16);
  return dtypes;
}

// Everything is below the lower bound or above the upper one.
TEST(Gemm, BoundsMayBeTheOtherInfinity) {
  size_t runs = 0;
  for (const DType in : {DType::kFloat32, DType::kBFloat16}) {
    for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
      for (const float bound : {INFINITY, -INFINITY}) {
        LinearCase c;
        c.rows = 29, c.outputs = 40, c.depth = 64;
        c.in = c.out = in;
        c.pattern = pattern;
        c.activation = Activation::kClip;
        const auto k = Make(c);
        k->node.attributes["clip_min"] = k->node.attributes["clip_max"] = bound;
        ThreadPool pool(1);
        for (const KernelDef* kernel : CandidateKernels(k->problem, nullptr)) {
          const auto prepared = kernel->prepare(k->problem, k->cache);
          ASSERT_TRUE(prepared.ok()) << prepared.status().message();
          Tensor workspace = WorkspaceFor(**prepared);
          k->Run(**prepared, workspace, pool);
          const Tensor y = k->output.ToFloat32();
          EXPECT_TRUE(
              std::all_of(y.Data<float>(), y.Data<float>() + y.NumElements(), [bound](float v) { return v == bound; }))
              << kernel->name << ", bounds of " << bound;
          ++runs;
        }
      }
    }
  }
  EXPECT_GT(runs, 0u);
}

TEST(Gemm, ExactOnSmallIntegers) {
  std::set<std::string_view> reached;
  for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
    for (const DType in : DTypes(pattern)) {
      for (const int64_t depth : {1, 2, 3, 4, 7, 16, 20, 33, 64, 200}) {
        for (const auto& [rows, outputs] : {std::pair<int64_t, int64_t>{1, 1}, {5, 33}, {17, 47}, {29, 64}}) {
          LinearCase c;
          c.rows = rows;
          c.outputs = outputs;
          c.depth = depth;
          c.in = in;
          c.pattern = pattern;
          c.bias = c.residual = c.integers = true;
          c.activation = Activation::kRelu;
          c.threads = 1 + static_cast<int>((rows + depth) % 3);
          Check(c, reached);
          if (pattern == Pattern::kDense || outputs == 1) continue;
          c.paired = true;
          Check(c, reached);
        }
      }
    }
  }
  kernel_test::NoteFamilyChecked("gemm");
  for (const KernelDef* kernel : AllKernels()) {
    if (kernel->family != "gemm") continue;
    if (RunsHere(*kernel)) {
      EXPECT_TRUE(reached.count(kernel->name)) << kernel->name << " is reached by no case";
    } else {
      fmt::print("skipped {}: this CPU cannot run it\n", kernel->name);
    }
  }
}

TEST(Gemm, EveryRowCountOfATile) {
  std::set<std::string_view> reached;
  for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
    for (const DType in : DTypes(pattern)) {
      for (int64_t rows = 1; rows <= 18; ++rows) {
        LinearCase c;
        c.rows = rows;
        c.outputs = 40;
        c.depth = 36;
        c.in = in;
        c.pattern = pattern;
        c.integers = true;
        Check(c, reached);
        c.paired = pattern == Pattern::kTwoFour;
        c.rows *= 16;  // vectors of rows
        Check(c, reached);
      }
    }
  }
}

TEST(Gemm, EpiloguesWithinBounds) {
  std::set<std::string_view> reached;
  for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
    for (const DType in : DTypes(pattern)) {
      for (const DType out : DTypes(pattern)) {
        for (int activation = 0; activation <= static_cast<int>(Activation::kMish); ++activation) {
          for (int operands = 0; operands < 4; ++operands) {
            LinearCase c;
            c.rows = 21;
            c.outputs = 71;
            c.depth = 124;
            c.in = in;
            c.out = out;
            c.pattern = pattern;
            c.bias = operands & 1;
            c.residual = operands & 2;
            c.activation = static_cast<Activation>(activation);
            c.threads = 1 + operands % 2;
            Check(c, reached);
          }
        }
      }
    }
  }
}

// Rows a power of two apart, several blocks of rows, more parts than one dimension gives.
TEST(Gemm, LargeShapes) {
  std::set<std::string_view> reached;
  for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
    for (const DType in : DTypes(pattern)) {
      for (const auto& [rows, outputs, depth] :
           {std::tuple<int64_t, int64_t, int64_t>{150, 200, 2048}, {700, 40, 96}, {9, 300, 1024}, {40, 1100, 36}}) {
        LinearCase c;
        c.rows = rows;
        c.outputs = outputs;
        c.depth = depth;
        c.in = in;
        c.out = in;
        c.pattern = pattern;
        c.bias = true;
        c.activation = Activation::kGelu;
        c.threads = 3;
        Check(c, reached);
      }
    }
  }
}

// Values where approximations of the activations have their seams and ends; the sum is the bias.
TEST(Gemm, ActivationsOverTheWholeRange) {
  for (int activation = 0; activation <= static_cast<int>(Activation::kMish); ++activation) {
    for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
      LinearCase c;
      c.rows = 2;
      c.outputs = 4001;
      c.depth = 4;
      c.pattern = pattern;
      c.bias = true;
      c.activation = static_cast<Activation>(activation);
      const auto k = Make(c);
      k->inputs[0] = Tensor(DType::kFloat32, {2, 4});
      float* bias = k->inputs[2].Data<float>();
      for (int i = 0; i < 3993; ++i) bias[i] = static_cast<float>(i - 1996) / 200;
      const float infinity = std::numeric_limits<float>::infinity();
      const float ends[8] = {-infinity, -3e38F, -100, -88, 88, 100, 3e38F, infinity};
      std::copy_n(ends, 8, bias + 3993);
      const Epilogue epilogue = EpilogueOf(k->node);
      ThreadPool pool(1);
      for (const KernelDef* kernel : CandidateKernels(k->problem, nullptr)) {
        // oneDNN's own ends of the range are its business: infinities come out as NaN for some activations.
        const int count = kernel->name.find("onednn") == std::string_view::npos ? 4001 : 3993;
        SCOPED_TRACE(fmt::format("{} '{}'", kernel->name, Name(c.activation)));
        auto prepared = kernel->prepare(k->problem, k->cache);
        ASSERT_TRUE(prepared.ok());
        Tensor workspace = WorkspaceFor(**prepared);
        k->Run(**prepared, workspace, pool);
        for (int i = 0; i < count; ++i) {
          const auto x = static_cast<double>(bias[i]);
          double expected = Apply(epilogue, x);
          if (std::isnan(expected)) expected = 0;  // -infinity * 0 in the formula; its limit
          const auto got = static_cast<double>(k->output.Data<float>()[i]);
          if (std::isnan(got) && std::isinf(x)) continue;
          if (std::isinf(expected) || std::abs(expected) > 1e38) {
            ASSERT_GT(got * (expected > 0 ? 1 : -1), 1e38) << "at " << x;
          } else {
            ASSERT_NEAR(got, expected, 1e-6 * std::max(1.0, std::abs(expected))) << "at " << x;
          }
        }
      }
    }
  }
}

// Where everything is small, as behind a norm that was never trained, an error relative to one would be all there is.
TEST(Gemm, ActivationsOfSmallNumbers) {
  for (int activation = 0; activation <= static_cast<int>(Activation::kMish); ++activation) {
    LinearCase c;
    c.rows = 1;
    c.outputs = 80;
    c.depth = 4;
    c.bias = true;
    c.activation = static_cast<Activation>(activation);
    const auto k = Make(c);
    k->inputs[0] = Tensor(DType::kFloat32, {1, 4});
    float* bias = k->inputs[2].Data<float>();
    for (int i = 0; i < 80; ++i) bias[i] = std::ldexp(i % 2 == 0 ? 1.3F : -1.1F, -i / 2);
    ThreadPool pool(1);
    for (const KernelDef* kernel : CandidateKernels(k->problem, nullptr)) {
      if (kernel->name.find("onednn") != std::string_view::npos) continue;  // promises no such thing
      SCOPED_TRACE(fmt::format("{} '{}'", kernel->name, Name(c.activation)));
      auto prepared = kernel->prepare(k->problem, k->cache);
      ASSERT_TRUE(prepared.ok());
      Tensor workspace = WorkspaceFor(**prepared);
      k->Run(**prepared, workspace, pool);
      for (int i = 0; i < 80; ++i) {
        const double expected = Apply(EpilogueOf(k->node), static_cast<double>(bias[i]));
        ASSERT_NEAR(k->output.Data<float>()[i], expected, 2e-6 * std::abs(expected)) << "at " << bias[i];
      }
    }
  }
}

TEST(Gemm, RefusesWithAReason) {
  LinearCase c;
  c.rows = 3;
  c.outputs = 8;
  c.depth = 8;
  auto k = Make(c);
  const auto reasons = [&] {
    std::vector<Refusal> refused;
    const auto kernels = CandidateKernels(k->problem, &refused);
    return std::pair(kernels.size(), refused);
  };
  for (const Refusal& refusal : reasons().second) {
    if (refusal.kernel->isa > Cpu().isa || !MachineHas(refusal.kernel->feature)) continue;
    if (refusal.kernel->name.find("24") == std::string_view::npos) continue;
    EXPECT_EQ(refusal.reason, "the weight is not 2:4");
  }
  k->problem.inputs[1].constant = nullptr;
  EXPECT_EQ(reasons().first, 0U);
  k = Make(c);
  k->problem.inputs[0].dims.back() = 9;
  EXPECT_EQ(reasons().first, 0U);
  k = Make(c);
  k->problem.outputs[0].dims = {3, 9};
  EXPECT_EQ(reasons().first, 0U);
  k = Make(c);
  k->problem.inputs[0].dtype = DType::kInt32;
  EXPECT_EQ(reasons().first, 0U);
}

TEST(Gemm, PackingNamesTheGroupThatBreaksThePattern) {
  Tensor weight(DType::kFloat32, {3, 12});
  weight.Data<float>()[2 * 12 + 4] = 1;
  weight.Data<float>()[2 * 12 + 6] = 2;
  EXPECT_TRUE(PackedPanels::Make(weight, Pattern::kTwoFour).ok());
  weight.Data<float>()[2 * 12 + 7] = 3;
  const auto broken = PackedPanels::Make(weight, Pattern::kTwoFour);
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.status().message(), "row 2 breaks the 2:4 pattern in the group at column 4");
  const auto columns = PackedColumns::Make(weight);
  ASSERT_FALSE(columns.ok());
  EXPECT_EQ(columns.status().message(), broken.status().message());
}

TEST(Gemm, OutputsWhoseMasksFitArePaired) {
  Tensor weight(DType::kFloat32, {5, 8});
  const auto keep = [&](int64_t row, std::initializer_list<int64_t> columns) {
    for (int64_t column : columns) weight.Data<float>()[row * 8 + column] = 1;
  };
  keep(0, {0, 1, 4, 5});
  keep(1, {0, 2, 4, 5});
  keep(2, {1, 4});  // within row 0's positions
  keep(3, {0, 2, 5});
  keep(4, {2, 3, 6, 7});
  const auto packed = PackedColumns::Make(weight);
  ASSERT_TRUE(packed.ok());
  EXPECT_EQ((*packed)->paired_outputs(), 4);
  ASSERT_EQ((*packed)->chunks().size(), 1U);
  EXPECT_EQ((*packed)->chunks()[0].pairs.outputs, (std::vector<int32_t>{0, 2, 1, 3}));
  EXPECT_EQ((*packed)->chunks()[0].singles.outputs, (std::vector<int32_t>{4}));
}

TEST(Gemm, PanelsArePairedWhereMasksFit) {
  std::mt19937 random(kSeed);
  Tensor weight = Fill({40, 24}, false, random);
  MakeTwoFour(weight, random);
  const auto packed = [&](LaneOrder order) {
    auto made = PackedPanels::Make(weight, Pattern::kTwoFour, order);
    EXPECT_TRUE(made.ok());
    return std::move(made).value();
  };
  EXPECT_EQ(packed(LaneOrder::kPairs)->order(0), nullptr);
  EXPECT_NE(packed(LaneOrder::kPairs)->order(1), nullptr);  // eight outputs, and lanes for a partner of each
  MakePaired(weight);
  const auto pairs = packed(LaneOrder::kPairs);
  ASSERT_NE(pairs->order(0), nullptr);
  for (int64_t i = 0; i < 32; ++i) EXPECT_EQ(std::abs(pairs->order(0)[i] - pairs->order(0)[31 - i]), 16);
  EXPECT_EQ(packed(LaneOrder::kOutputs)->order(0), nullptr);
}

TEST(Gemm, OneKernelRunsInSeveralThreadsAtOnce) {
  LinearCase c;
  c.rows = 40;
  c.outputs = 96;
  c.depth = 64;
  c.pattern = Pattern::kTwoFour;
  c.bias = c.residual = c.integers = true;
  c.threads = 2;
  const auto k = Make(c);
  const Expected expected = Reference(*k, c);
  for (const KernelDef* kernel : CandidateKernels(k->problem, nullptr)) {
    auto prepared = kernel->prepare(k->problem, k->cache);
    ASSERT_TRUE(prepared.ok());
    ThreadPool pool(2);
    std::array<int, 4> wrong = {};
    std::vector<std::thread> threads;
    for (int& count : wrong) {
      threads.emplace_back([&] {
        Tensor workspace = WorkspaceFor(**prepared);
        std::vector<const void*> in;
        for (const Tensor& input : k->inputs) in.push_back(input.raw());
        for (int repeat = 0; repeat < 20; ++repeat) {
          Tensor y(DType::kFloat32, {c.rows, c.outputs});
          void* out = y.raw();
          (*prepared)->Run(in, {&out, 1}, workspace.raw(), pool);
          for (size_t i = 0; i < expected.value.size(); ++i) {
            count += static_cast<double>(y.Data<float>()[i]) != expected.value[i];
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const int count : wrong) EXPECT_EQ(count, 0) << kernel->name;
  }
}

TEST(Gemm, PackedWeightsAreShared) {
  LinearCase c;
  c.rows = 4;
  c.outputs = 64;
  c.depth = 64;
  c.pattern = Pattern::kTwoFour;
  const auto k = Make(c);
  for (const KernelDef* kernel : CandidateKernels(k->problem, nullptr)) {
    auto first = kernel->prepare(k->problem, k->cache);
    ASSERT_TRUE(first.ok());
    const size_t bytes = k->cache.LiveBytes();
    EXPECT_GT(bytes, 0U) << kernel->name;
    auto second = kernel->prepare(k->problem, k->cache);
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(k->cache.LiveBytes(), bytes) << kernel->name;
  }
  EXPECT_EQ(k->cache.LiveBytes(), 0U);
}

}  // namespace
}  // namespace tamis
