// int8 products in plain code for any x86-64: x less its zero point in 16 bits, as a patch for each output pixel,
// against the weight's rows. For machines without VNNI, whose 8-bit multiplies saturate.
#include <algorithm>
#include <cstring>

#include "src/kernels/operand_check.h"
#include "src/kernels/quantize/dynamic_quantize.h"
#include "src/kernels/quantized/quantized.h"
#include "src/ops/op_window.h"

namespace tamis {
namespace {

struct Plan {
  QuantizedResult result;
  bool dynamic = false, signed_x = false;
  int64_t zero = 0;
  int64_t batch = 1, group = 1, channels = 0, outputs = 0, depth = 0;  // depth: of one group's patch
  WindowGeometry geometry;
};

bool IsConv(const Problem& problem) {
  return problem.node->op == "QuantizedConv";
}

Result<Plan> ReadPlan(const Problem& problem) {
  Plan plan;
  plan.result = ResultOf(*problem.node, problem.input(4).dtype);
  plan.zero = problem.node->Int("x_zero_point", 0);
  plan.signed_x = problem.input(0).dtype == DType::kInt8;
  if (!IsConv(problem)) {
    TAMIS_ASSIGN_OR_RETURN(const QuantizedShape shape, ReadQuantizedLinear(problem));
    plan.dynamic = shape.x == DType::kFloat32;
    plan.channels = plan.depth = shape.depth;
    plan.outputs = shape.outputs;
    plan.geometry.axes[2].in = plan.geometry.axes[2].out = shape.rows;
    return plan;
  }
  TAMIS_ASSIGN_OR_RETURN(const QuantizedConvShape conv, ReadQuantizedConv(problem));
  plan.group = conv.group;
  plan.batch = conv.batch;
  plan.channels = conv.channels;
  plan.outputs = conv.outputs;
  plan.geometry = conv.geometry;
  plan.depth = conv.channels / conv.group * conv.geometry.KernelSize();
  return plan;
}

class PlainKernel : public PreparedKernel {
 public:
  PlainKernel(Plan plan, const Tensor& weight, int threads)
      : plan_(std::move(plan)), weight_(weight), threads_(std::max(threads, 1)) {
    const auto padded = [](int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); };
    patch_bytes_ = padded(plan_.depth * plan_.group * 2);
    part_bytes_ = patch_bytes_ + padded(plan_.outputs * 4);
    codes_bytes_ = plan_.dynamic ? padded(plan_.channels * plan_.geometry.InputSize()) : 0;
  }
  size_t WorkspaceBytes() const override { return codes_bytes_ + part_bytes_ * static_cast<size_t>(threads_); }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    const void* x = inputs[0];
    float factor = 1;
    int64_t zero = plan_.zero;
    if (plan_.dynamic) {
      auto* codes = reinterpret_cast<uint8_t*>(workspace);
      const DynamicScale scale =
          QuantizeDynamically(static_cast<const float*>(x), plan_.channels * plan_.geometry.InputSize(), codes, pool);
      factor = scale.scale;
      zero = scale.zero;
      x = codes;
    }
    const int64_t pixels = plan_.batch * plan_.geometry.OutputSize();
    const auto part_work = [&](int part) {
      std::byte* scratch = workspace + codes_bytes_ + part_bytes_ * static_cast<size_t>(part);
      const int64_t begin = pixels * part / threads_, end = pixels * (part + 1) / threads_;
      if (plan_.signed_x) {
        Pixels<int8_t>(x, zero, factor, inputs, outputs[0], begin, end, scratch);
      } else {
        Pixels<uint8_t>(x, zero, factor, inputs, outputs[0], begin, end, scratch);
      }
    };
    pool.Run(threads_, [&part_work](int part) { part_work(part); });
  }

 private:
  // The patch of an output pixel, group by group, x less its zero point; padding is 0.
  template <class X>
  void Gather(const X* x, int64_t zero, int64_t pixel, int16_t* patch) const {
    const auto& [d, h, w] = plan_.geometry.axes;
    const int64_t channels = plan_.channels / plan_.group;
    const X* image = x + pixel / plan_.geometry.OutputSize() * plan_.geometry.InputSize() * plan_.channels;
    const int64_t at = pixel % plan_.geometry.OutputSize();
    const int64_t od = at / (h.out * w.out), oh = at / w.out % h.out, ow = at % w.out;
    int64_t tap = 0;
    for (int64_t kd = 0; kd < d.kernel; ++kd) {
      for (int64_t kh = 0; kh < h.kernel; ++kh) {
        for (int64_t kw = 0; kw < w.kernel; ++kw, ++tap) {
          const int64_t id = od * d.stride - d.pad_begin + kd * d.dilation;
          const int64_t ih = oh * h.stride - h.pad_begin + kh * h.dilation;
          const int64_t iw = ow * w.stride - w.pad_begin + kw * w.dilation;
          const bool inside = id >= 0 && id < d.in && ih >= 0 && ih < h.in && iw >= 0 && iw < w.in;
          const X* source = image + ((id * h.in + ih) * w.in + iw) * plan_.channels;
          for (int64_t g = 0; g < plan_.group; ++g) {
            int16_t* to = patch + g * plan_.depth + tap * channels;
            for (int64_t c = 0; c < channels; ++c) {
              to[c] = inside ? static_cast<int16_t>(source[g * channels + c] - zero) : int16_t{0};
            }
          }
        }
      }
    }
  }

  template <class X>
  void Pixels(const void* x, int64_t zero, float factor, std::span<const void* const> inputs, void* y, int64_t begin,
              int64_t end, std::byte* scratch) const {
    auto* patch = reinterpret_cast<int16_t*>(scratch);
    auto* sums = reinterpret_cast<int32_t*>(scratch + patch_bytes_);
    const auto* bias = inputs.size() > 3 ? static_cast<const float*>(inputs[3]) : nullptr;
    const int8_t* weight = weight_.Data<int8_t>();
    const int64_t filters = plan_.outputs / plan_.group;
    const void* residual = inputs.size() > 4 ? inputs[4] : nullptr;
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      Gather(static_cast<const X*>(x), zero, pixel, patch);
      for (int64_t o = 0; o < plan_.outputs; ++o) {
        const int16_t* a = patch + o / filters * plan_.depth;
        const int8_t* b = weight + o * plan_.depth;
        int32_t sum = 0;
        for (int64_t i = 0; i < plan_.depth; ++i) sum += static_cast<int32_t>(a[i]) * static_cast<int32_t>(b[i]);
        sums[o] = sum;
      }
      plan_.result.Write({sums, static_cast<const float*>(inputs[2]), bias, factor, residual, y, pixel * plan_.outputs,
                          plan_.outputs});
    }
  }

  Plan plan_;
  Tensor weight_;
  int threads_;
  size_t patch_bytes_ = 0, part_bytes_ = 0, codes_bytes_ = 0;
};

}  // namespace

extern const KernelDef kernel_quantized_plain = {
    .name = "quantized_plain",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear"},
    .isa = Isa::kX86_64,
    .supports = [](const Problem& problem) { return ReadPlan(problem).status(); },
    .cost =
        [](const Problem& problem) {
          const double weights = static_cast<double>(Elements(problem.input(1)));
          const double pixels =
              static_cast<double>(Elements(problem.outputs[0])) / static_cast<double>(problem.input(1).dims[0]);
          return PredictSeconds(problem, Isa::kX86_64, 2 * weights * pixels);
        },
    .prepare = [](const Problem& problem, PackCache&) -> Result<std::unique_ptr<PreparedKernel>> {
      TAMIS_ASSIGN_OR_RETURN(Plan plan, ReadPlan(problem));
      return std::unique_ptr<PreparedKernel>(
          std::make_unique<PlainKernel>(std::move(plan), *problem.input(1).constant, problem.threads));
    },
};

}  // namespace tamis
