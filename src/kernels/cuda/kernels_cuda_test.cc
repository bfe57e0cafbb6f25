// Every CUDA kernel that names a product or a convolution, in all its variants, against the operator's reference: from
// the node to the result, as the executor uses it. On small integers, so that results must be equal. Skipped without a
// GPU.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "src/kernels/cuda/device_test.h"
#include "src/kernels/cuda/open_device.h"
#include "src/kernels/gemm/kernel_case.h"
#include "src/ops/op_def.h"

namespace tamis::cuda {
namespace {

constexpr unsigned kSeed = 20251126;

Tensor Integers(Dims dims, std::mt19937& random) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  for (float& v : tensor.Span<float>()) v = static_cast<float>(static_cast<int>(random() % 7) - 3);
  return tensor;
}

Tensor ToHalf(const Tensor& f32) {
  Tensor half(DType::kFloat16, f32.dims());
  for (int64_t i = 0; i < f32.NumElements(); ++i) half.Data<uint16_t>()[i] = FloatToHalf(f32.Data<float>()[i]);
  return half;
}

struct Spec {
  std::string op;
  std::map<std::string, Attribute> attributes;
  Dims x, weight, y;
  Pattern pattern = Pattern::kDense;
  bool residual = false;
};

// The operands in `dtype`, f16 or f32; the same numbers in both.
std::unique_ptr<KernelCase> Make(const Spec& spec, DType dtype) {
  std::mt19937 random(kSeed);
  const auto as = [&](Tensor f32) { return dtype == DType::kFloat16 ? ToHalf(f32) : f32; };
  Tensor weight = Integers(spec.weight, random);
  if (spec.pattern == Pattern::kTwoFour) MakeTwoFour(weight, random);
  Tensor x = as(Integers(spec.x, random)), bias = Integers({spec.weight[0]}, random);
  Tensor residual = spec.residual ? as(Integers(spec.y, random)) : Tensor();
  return std::make_unique<KernelCase>(spec.op, spec.attributes, std::vector<Tensor>{x, as(weight), bias, residual},
                                      dtype, spec.y, spec.pattern, 1);
}

// By the operator's reference in f32, rounded to f16; undefined if it refuses, which the test reports.
Tensor Reference(const Spec& spec) {
  const std::unique_ptr<KernelCase> c = Make(spec, DType::kFloat32);
  c->node.outputs = {static_cast<ValueId>(c->inputs.size())};
  std::vector<const Tensor*> inputs;
  for (const Tensor& input : c->inputs) inputs.push_back(input.Defined() ? &input : nullptr);
  auto evaluated = EvaluateNode(c->node, 1, inputs);
  EXPECT_TRUE(evaluated.ok()) << evaluated.status().message();
  if (!evaluated.ok()) return {};
  Tensor result = std::move((*evaluated)[0]);
  for (float& v : result.Span<float>()) v = HalfToFloat(FloatToHalf(v));
  return result;
}

class ProductKernels : public testing::Test {
 protected:
  void SetUp() override {
    if (FindTestDevice().compute == 0) GTEST_SKIP() << "no NVIDIA GPU";
    auto opened = OpenDevice::Get(0);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    device_ = std::move(opened).value();
  }

  // Names of the kernels that computed the case; the others have given a reason.
  std::set<std::string_view> Check(const Spec& spec) {
    std::set<std::string_view> reached;
    CheckInto(spec, reached);
    return reached;
  }

 private:
  void CheckInto(const Spec& spec, std::set<std::string_view>& reached) {
    const std::unique_ptr<KernelCase> c = Make(spec, DType::kFloat16);
    const Tensor reference = Reference(spec);
    ASSERT_TRUE(reference.Defined());
    TestBuffer on_device[4], y;
    for (size_t i = 0; i < c->inputs.size(); ++i) {
      if (c->inputs[i].Defined()) on_device[i].Fill(c->inputs[i].raw(), c->inputs[i].NumBytes());
    }
    const std::vector<std::byte> poison(c->output.NumBytes() + kGuard, std::byte{0xff});
    y.Fill(poison.data(), poison.size());
    for (const CudaKernelDef* def : AllCudaKernels()) {
      if (std::find(def->ops.begin(), def->ops.end(), spec.op) == def->ops.end()) continue;
      if (def->compute > device_->device().compute) continue;
      SCOPED_TRACE(testing::Message() << def->name << ": " << spec.op << " of " << ToString(spec.x) << " by "
                                      << ToString(spec.weight) << ", " << Name(spec.pattern) << ", seed " << kSeed);
      const Result<int> variants = def->supports(c->problem, *device_);
      if (!variants.ok()) {
        EXPECT_FALSE(variants.status().message().empty());
        continue;
      }
      reached.insert(def->name);
      for (int variant = 0; variant < *variants; ++variant) {
        SCOPED_TRACE(testing::Message() << "variant " << variant);
        auto kernel = def->prepare(c->problem, variant, *device_);
        ASSERT_TRUE(kernel.ok()) << kernel.status().message();
        ASSERT_CUDA(cudaMemcpy(y.data(), poison.data(), poison.size(), cudaMemcpyHostToDevice));
        TestBuffer workspace;
        const std::vector<std::byte> scratch((*kernel)->WorkspaceBytes() + 256, std::byte{0xff});
        workspace.Fill(scratch.data(), scratch.size());
        std::vector<const void*> inputs;
        for (size_t i = 0; i < c->inputs.size(); ++i) {
          inputs.push_back(((*kernel)->PackedInputs() >> i & 1) != 0 ? nullptr : on_device[i].data());
        }
        void* output = y.data();
        const Status enqueued = (*kernel)->Enqueue(inputs, {&output, 1}, workspace.data(), cudaStreamPerThread);
        ASSERT_TRUE(enqueued.ok()) << enqueued.message();
        ASSERT_CUDA(cudaDeviceSynchronize());
        std::vector<uint16_t> result(poison.size() / 2);
        ASSERT_CUDA(cudaMemcpy(result.data(), y.data(), poison.size(), cudaMemcpyDeviceToHost));
        for (int64_t i = 0; i < reference.NumElements(); ++i) {
          ASSERT_EQ(HalfToFloat(result[static_cast<size_t>(i)]), reference.Data<float>()[i]) << "element " << i;
        }
        for (size_t i = static_cast<size_t>(reference.NumElements()); i < result.size(); ++i) {
          ASSERT_EQ(result[i], 0xffff) << "written beyond the end";
        }
      }
    }
  }

  std::shared_ptr<OpenDevice> device_;
};

const std::map<std::string, Attribute> kRelu = {{"activation", std::string("Relu")}};

std::map<std::string, Attribute> Window(int64_t stride, int64_t pad, int64_t dilation) {
  return {{"strides", std::vector<int64_t>{stride, stride}},
          {"pads", std::vector<int64_t>{pad, pad, pad, pad}},
          {"dilations", std::vector<int64_t>{dilation, dilation}},
          {"group", int64_t{1}},
          {"activation", std::string("Relu")}};
}

TEST_F(ProductKernels, LinearOfEveryKindAgreesWithTheReference) {
  const bool hopper = FindTestDevice().compute == 90;
  const Spec dense[] = {{"Linear", kRelu, {200, 136}, {72, 136}, {200, 72}},
                        {"Linear", kRelu, {5, 1096}, {200, 1096}, {5, 200}, Pattern::kDense, true},
                        {"Linear", kRelu, {60, 512}, {136, 512}, {60, 136}, Pattern::kDense, true},
                        {"Linear", kRelu, {2100, 136}, {1544, 136}, {2100, 1544}, Pattern::kDense, true},
                        {"Linear", kRelu, {3, 130, 264}, {328, 264}, {3, 130, 328}}};
  for (const Spec& spec : dense) EXPECT_EQ(Check(spec).contains("linear_wgmma"), hopper);
  const auto few = Check({"Linear", kRelu, {5, 1096}, {200, 1096}, {5, 200}, Pattern::kTwoFour, true});
  EXPECT_TRUE(few.contains("gemm24_mma"));
  EXPECT_EQ(few.contains("gemm24_wgmma"), hopper);
  const auto many = Check({"Linear", kRelu, {3, 130, 264}, {328, 264}, {3, 130, 328}, Pattern::kTwoFour, true});
  EXPECT_TRUE(many.contains(hopper ? "gemm24_wgmma" : "gemm24_mma"));
  const auto odd = Check({"Linear", kRelu, {30, 99}, {33, 99}, {30, 33}, Pattern::kTwoFour, true});
  EXPECT_TRUE(odd.contains("gemm24_mma"));
}

TEST_F(ProductKernels, ConvolutionOfEveryKindAgreesWithTheReference) {
  const bool hopper = FindTestDevice().compute == 90;
  const Spec dense[] = {
      {"ChannelsLastConv", Window(1, 1, 1), {2, 9, 11, 24}, {16, 3, 3, 24}, {2, 9, 11, 16}},
      {"ChannelsLastConv", Window(2, 1, 1), {3, 14, 13, 64}, {72, 3, 3, 64}, {3, 7, 7, 72}},
      {"ChannelsLastConv", Window(1, 2, 2), {2, 9, 9, 128}, {64, 3, 3, 128}, {2, 9, 9, 64}, Pattern::kDense, true},
      {"ChannelsLastConv", Window(1, 0, 1), {2, 9, 11, 72}, {40, 1, 1, 72}, {2, 9, 11, 40}, Pattern::kDense, true},
      {"ChannelsLastConv", Window(2, 0, 1), {2, 10, 12, 64}, {264, 1, 1, 64}, {2, 5, 6, 264}},
  };
  for (const Spec& spec : dense) EXPECT_EQ(Check(spec).contains("conv_wgmma"), hopper);
  const Spec specs[] = {
      {"ChannelsLastConv", Window(1, 1, 1), {2, 9, 11, 72}, {40, 3, 3, 72}, {2, 9, 11, 40}, Pattern::kTwoFour, true},
      {"ChannelsLastConv", Window(2, 1, 1), {3, 14, 13, 64}, {72, 3, 3, 64}, {3, 7, 7, 72}, Pattern::kTwoFour},
      {"ChannelsLastConv", Window(1, 2, 2), {2, 9, 9, 128}, {64, 3, 3, 128}, {2, 9, 9, 64}, Pattern::kTwoFour, true},
  };
  for (const Spec& spec : specs) EXPECT_EQ(Check(spec).contains("conv24_wgmma"), hopper);
  const auto pointwise = Check(
      {"ChannelsLastConv", Window(1, 0, 1), {2, 9, 11, 72}, {40, 1, 1, 72}, {2, 9, 11, 40}, Pattern::kTwoFour, true});
  EXPECT_TRUE(pointwise.contains(hopper ? "conv24_wgmma" : "conv24_mma"));
}

}  // namespace
}  // namespace tamis::cuda
