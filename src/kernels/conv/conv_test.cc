// Every ChannelsLastConv kernel of the list against a reference in double over the unpadded definition: exactly on
// small integers, within the bound of f32 accumulation on random numbers; one to three spatial axes, strides,
// dilations, uneven pads, groups, depthwise, every kind of cut between threads. Winograd's method, whose transforms are
// not of whole numbers, has a bound of its own in both.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/conv/winograd.h"
#include "src/kernels/family_test.h"
#include "src/kernels/gemm/kernel_case.h"

namespace tamis {
namespace {

constexpr unsigned kConvSeed = 20240602;

struct ConvCase {
  int64_t batch = 1;
  std::vector<int64_t> in, kernel, strides, dilations, pads;
  int64_t channels = 4, outputs = 4, group = 1;
  DType in_dtype = DType::kFloat32, out_dtype = DType::kFloat32;
  Pattern pattern = Pattern::kDense;
  bool bias = true, residual = false, integers = true, paired = false;
  Activation activation = Activation::kNone;
  int threads = 1;

  std::string Text() const {
    return fmt::format(
        "batch {} in {} kernel {} strides {} dilations {} pads {} C{} O{} group {} {}->{} {}{} residual {} "
        "'{}' threads {} seed {}",
        batch, ToString(in), ToString(kernel), ToString(strides), ToString(dilations), ToString(pads), channels,
        outputs, group, Name(in_dtype), Name(out_dtype), Name(pattern), paired ? " paired" : "", residual,
        Name(activation), threads, kConvSeed);
  }
};

Tensor FillConv(Dims dims, bool integers, std::mt19937& random) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  std::uniform_int_distribution<int> small(-3, 3);
  std::normal_distribution<float> normal;
  for (float& v : tensor.Span<float>()) v = integers ? static_cast<float>(small(random)) : normal(random);
  return tensor;
}

std::unique_ptr<KernelCase> MakeConv(const ConvCase& c) {
  std::mt19937 random(kConvSeed);
  const size_t rank = c.in.size();
  Dims x_dims = {c.batch};
  Dims w_dims = {c.outputs};
  Dims y_dims = {c.batch};
  for (size_t i = 0; i < rank; ++i) {
    x_dims.push_back(c.in[i]);
    w_dims.push_back(c.kernel[i]);
    const int64_t padded = c.in[i] + c.pads[i] + c.pads[i + rank];
    y_dims.push_back((padded - (c.kernel[i] - 1) * c.dilations[i] - 1) / c.strides[i] + 1);
  }
  x_dims.push_back(c.channels);
  w_dims.push_back(c.channels / c.group);
  y_dims.push_back(c.outputs);
  Tensor x = FillConv(x_dims, c.integers, random);
  Tensor weight = FillConv(w_dims, c.integers, random);
  Tensor bias = c.bias ? FillConv({c.outputs}, c.integers, random) : Tensor();
  Tensor residual = c.residual ? FillConv(y_dims, c.integers, random) : Tensor();
  if (c.pattern == Pattern::kTwoFour) MakeTwoFour(weight, random);
  if (c.paired) MakePaired(weight);
  if (c.in_dtype == DType::kBFloat16) {
    x = ToBf16(x);
    weight = ToBf16(weight);
  }
  if (c.residual && c.out_dtype == DType::kBFloat16) residual = ToBf16(residual);
  std::map<std::string, Attribute> attributes = {
      {"strides", c.strides}, {"dilations", c.dilations}, {"pads", c.pads}, {"group", c.group}};
  if (c.activation != Activation::kNone) attributes["activation"] = std::string(Name(c.activation));
  return std::make_unique<KernelCase>("ChannelsLastConv", attributes, std::vector<Tensor>{x, weight, bias, residual},
                                      c.out_dtype, y_dims, c.pattern, c.threads);
}

struct Accumulated {
  double sum = 0, magnitude = 0;
  void Add(double term) {
    sum += term;
    magnitude += std::abs(term);
  }
};

// One element of y before bias, by walking all taps; coordinates are padded to three axes in front.
Accumulated ConvAt(const ConvCase& c, const Tensor& x, const Tensor& w, const std::array<int64_t, 3>& at, int64_t image,
                   int64_t output) {
  const size_t rank = c.in.size();
  const auto axis = [&](const std::vector<int64_t>& v, size_t i, int64_t fallback) {
    return i + rank < 3 ? fallback : v[i + rank - 3];
  };
  const int64_t per_group = c.channels / c.group;
  const int64_t first = output / (c.outputs / c.group) * per_group;
  int64_t taps = 1;
  for (const int64_t k : c.kernel) taps *= k;
  Accumulated result;
  for (int64_t tap = 0; tap < taps; ++tap) {
    int64_t rest = tap;
    std::array<int64_t, 3> pixel = {};
    bool inside = true;
    for (size_t i = 3; i-- > 0;) {
      const int64_t k = rest % axis(c.kernel, i, 1);
      rest /= axis(c.kernel, i, 1);
      pixel[i] = at[i] * axis(c.strides, i, 1) + k * axis(c.dilations, i, 1) - axis(c.pads, i, 0);
      inside = inside && pixel[i] >= 0 && pixel[i] < axis(c.in, i, 1);
    }
    if (!inside) continue;
    const int64_t where =
        ((image * axis(c.in, 0, 1) + pixel[0]) * axis(c.in, 1, 1) + pixel[1]) * axis(c.in, 2, 1) + pixel[2];
    for (int64_t i = 0; i < per_group; ++i) {
      result.Add(static_cast<double>(x.Data<float>()[where * c.channels + first + i]) *
                 static_cast<double>(w.Data<float>()[(output * taps + tap) * per_group + i]));
    }
  }
  return result;
}

double LargestOf(const Tensor& f32) {
  double largest = 0;
  for (const float v : f32.Span<float>()) largest = std::max(largest, std::abs(static_cast<double>(v)));
  return largest;
}

// What the transforms' roundings add to one result: the sums of each place and the three transforms, along two axes.
// Where products are of bf16, both operands are rounded to it, small integers without an error.
double WinogradBound(std::string_view kernel, const ConvCase& c, const Tensor& x, const Tensor& w) {
  const bool bf16 = kernel == "conv_winograd_bf16_avx512";
  if (!bf16 && !kernel.starts_with("conv_winograd_avx")) return 0;
  const winograd::Method& method = bf16 ? winograd::kTilesOfTwo : winograd::kTilesOfFour;
  const auto channels = static_cast<double>(c.channels);
  double rounding = (channels + 3 * static_cast<double>(method.Reach())) *
                    static_cast<double>(std::numeric_limits<float>::epsilon()) / 2;
  if (bf16) rounding = c.integers ? 0 : rounding + 2 * 0x1p-8;
  return rounding * std::pow(winograd::Growth(method), 2) * channels * LargestOf(x) * LargestOf(w);
}

void CheckConv(const ConvCase& c, std::set<std::string_view>& reached) {
  SCOPED_TRACE(c.Text());
  const auto k = MakeConv(c);
  const Tensor x = k->inputs[0].ToFloat32();
  const Tensor w = k->inputs[1].ToFloat32();
  const Tensor residual = c.residual ? k->inputs[3].ToFloat32() : Tensor();
  const Epilogue epilogue = EpilogueOf(k->node);
  const Dims& y_dims = k->output.dims();
  std::array<int64_t, 3> out = {1, 1, 1};
  for (size_t i = 0; i < c.in.size(); ++i) out[3 - c.in.size() + i] = y_dims[i + 1];
  std::vector<double> value;
  std::vector<double> bound;
  const double epsilon = static_cast<double>(std::numeric_limits<float>::epsilon());
  for (int64_t i = 0; i < k->output.NumElements(); ++i) {
    const int64_t output = i % c.outputs;
    const int64_t pixel = i / c.outputs;
    const std::array<int64_t, 3> at = {pixel / (out[1] * out[2]) % out[0], pixel / out[2] % out[1], pixel % out[2]};
    Accumulated a = ConvAt(c, x, w, at, pixel / (out[0] * out[1] * out[2]), output);
    if (c.bias) a.Add(static_cast<double>(k->inputs[2].Data<float>()[output]));
    if (c.residual) a.Add(static_cast<double>(residual.Data<float>()[i]));
    value.push_back(Apply(epilogue, a.sum));
    const auto depth = static_cast<double>(w.NumElements() / c.outputs + 4);
    double b = c.integers ? 0 : depth * epsilon * a.magnitude;
    if (c.activation > Activation::kClip) b = 1.2 * b + 2e-6 * std::max(1.0, std::abs(value.back()));
    if (c.out_dtype == DType::kBFloat16) b += std::abs(value.back()) * 0x1p-8;
    bound.push_back(b);
  }
  ThreadPool pool(c.threads);
  const auto kernels = CandidateKernels(k->problem, nullptr);
  for (const KernelDef* kernel : kernels) {
    SCOPED_TRACE(kernel->name);
    reached.insert(kernel->name);
    EXPECT_GT(kernel->cost(k->problem), 0);
    auto prepared = kernel->prepare(k->problem, k->cache);
    ASSERT_TRUE(prepared.ok()) << prepared.status().message();
    Tensor workspace = WorkspaceFor(**prepared);
    std::fill_n(k->output.Data<uint8_t>(), k->output.NumBytes(), uint8_t{0x7f});
    const double transforms = WinogradBound(kernel->name, c, x, w);
    const auto compare = [&](const char* where) {
      const Tensor y = k->output.ToFloat32();
      int shown = 0;
      for (int64_t i = 0; i < y.NumElements() && shown < 4; ++i) {
        const auto at = static_cast<size_t>(i);
        const double got = static_cast<double>(y.Data<float>()[i]);
        // Of activations the steepest are Mish and the kinds of GELU and SiLU: by 1.2.
        const double allowed = bound[at] + 1.2 * transforms;
        if (!(std::abs(got - value[at]) <= allowed)) {
          ADD_FAILURE() << "element " << i << where << " is " << got << ", expected " << value[at] << " +- " << allowed;
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

// Geometries; dtype, pattern and threads are varied over each.
std::vector<ConvCase> Geometries() {
  std::vector<ConvCase> cases;
  const auto add = [&](std::vector<int64_t> in, std::vector<int64_t> kernel, std::vector<int64_t> strides,
                       std::vector<int64_t> dilations, std::vector<int64_t> pads, int64_t channels, int64_t outputs,
                       int64_t group, int64_t batch) {
    ConvCase c;
    c.in = std::move(in);
    c.kernel = std::move(kernel);
    c.strides = std::move(strides);
    c.dilations = std::move(dilations);
    c.pads = std::move(pads);
    c.channels = channels;
    c.outputs = outputs;
    c.group = group;
    c.batch = batch;
    cases.push_back(c);
  };
  add({9, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 8, 33, 1, 1);
  add({9, 11}, {3, 3}, {2, 2}, {1, 1}, {0, 1, 1, 0}, 12, 16, 1, 2);
  add({8, 6}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 20, 40, 1, 3);
  add({8, 6}, {1, 1}, {2, 2}, {1, 1}, {0, 0, 0, 0}, 16, 24, 1, 1);
  add({7, 6}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 124, 72, 1, 1);  // few pixels, many inputs
  add({10, 10}, {3, 2}, {1, 1}, {2, 3}, {2, 1, 2, 2}, 4, 8, 1, 1);
  add({13, 13}, {7, 7}, {2, 2}, {1, 1}, {3, 3, 3, 3}, 3, 16, 1, 1);  // channels that no group of four fits
  add({15, 15}, {7, 7}, {2, 2}, {1, 1}, {0, 0, 0, 0}, 3, 16, 1, 2);  // the same, and no padding behind the last
  add({16, 33}, {3, 3}, {2, 2}, {1, 1}, {0, 1, 1, 0}, 3, 49, 1, 2);
  add({9, 15}, {3, 3}, {1, 1}, {2, 3}, {2, 3, 2, 3}, 3, 24, 1, 1);
  add({12, 9}, {5, 5}, {1, 1}, {1, 1}, {2, 2, 2, 2}, 1, 33, 1, 1);
  add({11, 70}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 3, 33, 1, 2);  // lines with an inside and edges
  add({12, 95}, {5, 5}, {2, 2}, {1, 1}, {2, 3, 2, 0}, 4, 16, 1, 2);
  add({9, 51}, {3, 3}, {1, 1}, {2, 3}, {2, 3, 0, 3}, 4, 16, 1, 1);
  add({3, 4, 40}, {3, 3, 3}, {1, 2, 1}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}, 4, 8, 1, 2);
  add({7, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 16, 16, 16, 1);  // depthwise
  add({7, 5}, {3, 3}, {2, 1}, {1, 1}, {1, 1, 1, 1}, 16, 24, 2, 2);   // groups
  add({7, 5}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 32, 64, 2, 2);   // pointwise groups
  add({23}, {1}, {1}, {1}, {0, 0}, 48, 33, 3, 1);                    // of which threads get no even share
  add({17}, {5}, {2}, {1}, {2, 2}, 8, 12, 1, 2);
  add({5, 6, 4}, {3, 3, 3}, {1, 2, 1}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}, 8, 8, 1, 1);
  add({4, 9, 7}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1, 0, 1, 1}, 8, 33, 1, 2);  // frames of a video
  add({3, 7, 6}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}, 32, 64, 1, 2);
  add({2, 3}, {1, 1}, {1, 1}, {1, 1}, {3, 0, 2, 0}, 4, 8, 1, 1);  // whole output rows of padding
  add({13, 22}, {3, 3}, {1, 1}, {1, 1}, {0, 1, 3, 2}, 20, 49, 1, 2);
  add({3, 5}, {5, 3}, {1, 1}, {1, 1}, {4, 1, 4, 1}, 8, 33, 1, 2);  // windows that meet few rows of the image
  add({4, 6}, {3, 3}, {2, 1}, {2, 2}, {4, 2, 6, 2}, 12, 16, 1, 1);
  add({2, 9}, {3, 3}, {1, 2}, {1, 1}, {2, 1, 2, 1}, 3, 40, 1, 2);
  add({17, 1}, {5, 1}, {2, 3}, {1, 1}, {2, 0, 2, 0}, 8, 12, 1, 2);  // axes that count as none
  add({1, 9, 1}, {1, 3, 1}, {1, 1, 1}, {1, 2, 1}, {0, 1, 0, 0, 1, 0}, 8, 12, 1, 1);
  add({4, 9, 7}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1, 0, 1, 1}, 8, 12, 1, 2);  // and are joined
  add({7, 5, 3}, {3, 1, 1}, {2, 1, 1}, {1, 1, 1}, {1, 0, 0, 1, 0, 0}, 8, 12, 1, 2);
  add({1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 8, 12, 1, 3);
  add({41, 42}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 4, 8, 1, 1);  // several blocks of tiles
  return cases;
}

std::vector<DType> ConvDTypes() {
  return Cpu().avx512_bf16 ? std::vector{DType::kFloat32, DType::kBFloat16} : std::vector{DType::kFloat32};
}

TEST(Conv, ExactOnSmallIntegers) {
  std::set<std::string_view> reached;
  for (ConvCase c : Geometries()) {
    for (const DType dtype : ConvDTypes()) {
      c.in_dtype = dtype;
      for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
        c.pattern = pattern;
        for (c.threads = 1; c.threads <= 3; ++c.threads) {
          c.residual = c.threads == 2;
          c.activation = c.threads == 3 ? Activation::kRelu : Activation::kNone;
          c.paired = pattern == Pattern::kTwoFour && c.threads == 2;
          CheckConv(c, reached);
        }
      }
    }
  }
  kernel_test::NoteFamilyChecked("conv");
  for (const KernelDef* kernel : AllKernels()) {
    if (kernel->family != "conv") continue;
    const bool runs = kernel->isa <= Cpu().isa && MachineHas(kernel->feature);
    if (runs) {
      EXPECT_TRUE(reached.count(kernel->name)) << kernel->name << " is reached by no case";
    } else {
      fmt::print("skipped {}: this CPU cannot run it\n", kernel->name);
    }
  }
}

// Some parts of the work have no rows then.
TEST(Conv, MoreThreadsThanThereIsWork) {
  std::set<std::string_view> reached;
  for (ConvCase c : Geometries()) {
    for (const DType dtype : ConvDTypes()) {
      c.in_dtype = dtype;
      for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
        c.pattern = pattern;
        c.threads = 8;
        CheckConv(c, reached);
      }
    }
  }
  EXPECT_FALSE(reached.empty());
}

TEST(Conv, EpiloguesWithinBounds) {
  std::set<std::string_view> reached;
  ConvCase c = Geometries().front();
  c.integers = false;
  c.residual = true;
  c.threads = 2;
  for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
    for (const DType dtype : ConvDTypes()) {
      for (int activation = 0; activation <= static_cast<int>(Activation::kMish); ++activation) {
        if (HasParameters(static_cast<Activation>(activation))) continue;  // with their values: gemm_test
        c.pattern = pattern;
        c.in_dtype = c.out_dtype = dtype;
        c.activation = static_cast<Activation>(activation);
        CheckConv(c, reached);
      }
    }
  }
  EXPECT_FALSE(reached.empty());
}

TEST(Conv, RefusesWithAReason) {
  ConvCase c = Geometries().front();
  const auto reason = [](const ConvCase& changed, std::string_view kernel) -> std::string {
    const auto k = MakeConv(changed);
    std::vector<Refusal> refused;
    (void)CandidateKernels(k->problem, &refused);
    for (const Refusal& refusal : refused) {
      if (refusal.kernel->name == kernel) return refusal.reason;
    }
    return "";
  };
  EXPECT_EQ(reason(c, "conv24_reference"), "the weight is not 2:4");
  c.pattern = Pattern::kTwoFour;
  EXPECT_EQ(reason(c, "conv24_reference"), "");
  c.channels = 6;
  EXPECT_EQ(reason(c, "conv24_reference"), "6 channels; needs a multiple of four");
  c.channels = 8;
  c.outputs = 32;
  c.group = 2;
  EXPECT_EQ(reason(c, "conv24_reference"), "2 groups; needs one");
}

TEST(Conv, AxesOfSizeOneCountAsNone) {
  ConvCase c = Geometries().front();
  c.in = {1, 17, 1};
  c.kernel = {1, 5, 1};
  c.strides = {3, 2, 1};
  c.dilations = {1, 1, 1};
  c.pads = {0, 2, 0, 0, 1, 0};
  const ConvShape one = ReadConv(MakeConv(c)->problem).value();
  EXPECT_EQ(one.rank, 1);
  EXPECT_EQ(one.in, (ConvShape::Axes{1, 1, 17}));
  EXPECT_EQ(one.out, (ConvShape::Axes{1, 1, 8}));
  EXPECT_EQ(one.kernel, (ConvShape::Axes{1, 1, 5}));
  EXPECT_EQ(one.stride, (ConvShape::Axes{1, 1, 2}));
  EXPECT_EQ(one.pad_begin, (ConvShape::Axes{0, 0, 2}));
  EXPECT_EQ(one.pad_end, (ConvShape::Axes{0, 0, 1}));
  c.pads = {0, 2, 1, 0, 1, 0};  // the last axis has padding now: it counts
  const ConvShape two = ReadConv(MakeConv(c)->problem).value();
  EXPECT_EQ(two.rank, 2);
  EXPECT_EQ(two.in, (ConvShape::Axes{1, 17, 1}));
  EXPECT_EQ(two.pad_begin, (ConvShape::Axes{0, 2, 1}));
}

TEST(Conv, FramesAreImagesAndPixelsOneRow) {
  ConvCase c = Geometries().front();
  c.in = {6, 9, 7};
  c.kernel = {1, 3, 3};
  c.strides = c.dilations = {1, 1, 1};
  c.pads = {0, 1, 1, 0, 1, 1};
  const ConvShape images = ReadConv(MakeConv(c)->problem).value();
  EXPECT_EQ(images.rank, 2);
  EXPECT_EQ(images.batch, 6 * c.batch);
  EXPECT_EQ(images.in, (ConvShape::Axes{1, 9, 7}));
  c.kernel = {3, 1, 1};
  c.pads = {1, 0, 0, 1, 0, 0};
  const ConvShape row = ReadConv(MakeConv(c)->problem).value();
  EXPECT_EQ(row.rank, 2);
  EXPECT_EQ(row.batch, c.batch);
  EXPECT_EQ(row.in, (ConvShape::Axes{1, 6, 63}));
  EXPECT_EQ(row.kernel, (ConvShape::Axes{1, 3, 1}));
}

TEST(Conv, ShapesThatDoNotFitAreErrors) {
  const ConvCase c = Geometries().front();
  const auto broken = [&](const auto& change) {
    const auto k = MakeConv(c);
    change(*k);
    return !ReadConv(k->problem).ok();
  };
  EXPECT_FALSE(broken([](KernelCase&) {}));
  EXPECT_TRUE(broken([](KernelCase& k) { k.node.attributes["strides"] = std::vector<int64_t>{0, 1}; }));
  EXPECT_TRUE(broken([](KernelCase& k) { k.node.attributes["strides"] = std::vector<int64_t>{1}; }));
  EXPECT_TRUE(broken([](KernelCase& k) { k.node.attributes["pads"] = std::vector<int64_t>{-1, 0, 0, 0}; }));
  EXPECT_TRUE(broken([](KernelCase& k) { k.node.attributes["dilations"] = std::vector<int64_t>{99, 1}; }));
  EXPECT_TRUE(broken([](KernelCase& k) { k.node.attributes["group"] = int64_t{0}; }));
  EXPECT_TRUE(broken([](KernelCase& k) { k.problem.outputs[0].dims[1] += 1; }));
  EXPECT_TRUE(broken([](KernelCase& k) { k.problem.inputs[0].dims.back() = 5; }));
  EXPECT_TRUE(broken([](KernelCase& k) { k.problem.inputs[0].dims = {1, 8}; }));
}

TEST(Conv, ShareOfTapsInsideImages) {
  ConvShape shape;
  shape.rank = 2;
  shape.in = shape.out = {1, 8, 8};
  shape.kernel = {1, 3, 3};
  shape.pad_begin = shape.pad_end = {0, 1, 1};
  EXPECT_DOUBLE_EQ(ShareOfTapsInside(shape), 22.0 / 24 * 22 / 24);
  shape.dilation = {1, 12, 12};
  shape.pad_begin = shape.pad_end = {0, 12, 12};  // only the middle of the kernel meets the image
  EXPECT_DOUBLE_EQ(ShareOfTapsInside(shape), 1.0 / 9);
  // Of an axis of 9 with stride 2, taps at -2, 0 and 2: outputs 0 and 4 miss one each.
  shape = {};
  shape.rank = 1;
  shape.in = {1, 1, 9}, shape.out = {1, 1, 5}, shape.kernel = {1, 1, 3};
  shape.stride = {1, 1, 2}, shape.dilation = {1, 1, 2}, shape.pad_begin = shape.pad_end = {0, 0, 2};
  EXPECT_DOUBLE_EQ(ShareOfTapsInside(shape), 13.0 / 15);
}

}  // namespace
}  // namespace tamis
