// QuantizedLinear and DynamicQuantizedLinear by oneDNN's integer matrix product, with our scaling behind it while the
// sums of a block of rows are in the cache. Needs VNNI: oneDNN's other 8-bit products saturate at 16 bits.
#include <algorithm>

#include "src/kernels/onednn.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/quantize/dynamic_quantize.h"
#include "src/kernels/quantized/quantized.h"

namespace tamis {
namespace {

class IntegerProduct : public PreparedKernel {
 public:
  IntegerProduct(const QuantizedShape& shape, const Problem& problem)
      : shape_(shape),
        result_(ResultOf(*problem.node, problem.input(4).dtype)),
        weight_(*problem.input(1).constant),
        zero_(problem.node->Int("x_zero_point", 0)),
        dynamic_(shape.x == DType::kFloat32) {
    // Rows of sums that stay in half of the L2; few rows are split by outputs instead.
    const int64_t fitting = std::max<int64_t>(Cpu().l2_bytes / 2 / (shape.outputs * 4), 16);
    by_rows_ = shape.rows >= problem.threads * int64_t{8} || shape.outputs < problem.threads * int64_t{64};
    const int64_t items = by_rows_ ? shape.rows : shape.outputs;
    parts_ = static_cast<int>(std::clamp<int64_t>(items / (by_rows_ ? 8 : 64), 1, std::max(problem.threads, 1)));
    block_ = by_rows_ ? std::min(fitting, std::max<int64_t>((shape.rows + parts_ - 1) / parts_, 1)) : shape.rows;
    const int64_t width = by_rows_ ? shape.outputs : (shape.outputs + parts_ - 1) / parts_ + 1;
    sums_bytes_ = static_cast<size_t>((block_ * width * 4 + 63) / 64 * 64);
    codes_bytes_ = dynamic_ ? static_cast<size_t>((shape.rows * shape.depth + 63) / 64 * 64) : 0;
  }
  size_t WorkspaceBytes() const override { return codes_bytes_ + sums_bytes_ * static_cast<size_t>(parts_); }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    if (shape_.rows == 0) return;
    const void* x = inputs[0];
    float factor = 1;
    int64_t zero = zero_;
    if (dynamic_) {
      auto* codes = reinterpret_cast<uint8_t*>(workspace);
      const DynamicScale scale =
          QuantizeDynamically(static_cast<const float*>(x), shape_.rows * shape_.depth, codes, pool);
      factor = scale.scale;
      zero = scale.zero;
      x = codes;
    }
    const auto part_work = [&](int part) {
      const onednn::SingleThread single;
      auto* sums = reinterpret_cast<int32_t*>(workspace + codes_bytes_ + sums_bytes_ * static_cast<size_t>(part));
      const int64_t items = by_rows_ ? shape_.rows : shape_.outputs;
      const int64_t begin = items * part / parts_, end = items * (part + 1) / parts_;
      if (!by_rows_) return Block(x, zero, factor, inputs, outputs[0], {0, shape_.rows}, {begin, end}, sums);
      for (int64_t row = begin; row < end; row += block_) {
        Block(x, zero, factor, inputs, outputs[0], {row, std::min(row + block_, end)}, {0, shape_.outputs}, sums);
      }
    };
    pool.Run(parts_, [&part_work](int part) { part_work(part); });
  }

 private:
  struct Range {
    int64_t begin, end;
  };

  void Block(const void* x, int64_t zero, float factor, std::span<const void* const> inputs, void* y, Range rows,
             Range columns, int32_t* sums) const {
    const int64_t m = rows.end - rows.begin, n = columns.end - columns.begin, k = shape_.depth;
    const int8_t* weight = weight_.Data<int8_t>() + columns.begin * k;
    const int32_t none = 0;
    const std::byte* a = static_cast<const std::byte*>(x) + rows.begin * k;
    const dnnl_status_t status =
        shape_.x == DType::kInt8 ? dnnl_gemm_s8s8s32('N', 'T', 'F', m, n, k, 1, reinterpret_cast<const int8_t*>(a), k,
                                                     static_cast<int8_t>(zero), weight, k, 0, 0, sums, n, &none)
                                 : dnnl_gemm_u8s8s32('N', 'T', 'F', m, n, k, 1, reinterpret_cast<const uint8_t*>(a), k,
                                                     static_cast<uint8_t>(zero), weight, k, 0, 0, sums, n, &none);
    TAMIS_ASSERT(status == dnnl_success);
    const float* scale = static_cast<const float*>(inputs[2]) + columns.begin;
    const auto* bias = inputs.size() > 3 ? static_cast<const float*>(inputs[3]) : nullptr;
    if (bias != nullptr) bias += columns.begin;
    const void* residual = inputs.size() > 4 ? inputs[4] : nullptr;
    for (int64_t r = 0; r < m; ++r) {
      const int64_t at = (rows.begin + r) * shape_.outputs + columns.begin;
      result_.Write({sums + r * n, scale, bias, factor, residual, y, at, n});
    }
  }

  QuantizedShape shape_;
  QuantizedResult result_;
  Tensor weight_;
  int64_t zero_;
  bool dynamic_, by_rows_ = true;
  int parts_ = 1;
  int64_t block_ = 1;
  size_t sums_bytes_ = 0, codes_bytes_ = 0;
};

}  // namespace

extern const KernelDef kernel_quantized_linear_vnni;
const KernelDef kernel_quantized_linear_vnni = {
    .name = "quantized_linear_vnni",
    .family = "quantized",
    .ops = {"QuantizedLinear", "DynamicQuantizedLinear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Vnni,
    .supports = [](const Problem& problem) { return ReadQuantizedLinear(problem).status(); },
    .cost =
        [](const Problem& problem) {
          const double products = static_cast<double>(Elements(problem.outputs[0]) * problem.input(1).dims[1]);
          return PredictSeconds(problem, Isa::kAvx512, products / 2);
        },
    .prepare = [](const Problem& problem, PackCache&) -> Result<std::unique_ptr<PreparedKernel>> {
      TAMIS_ASSIGN_OR_RETURN(const QuantizedShape shape, ReadQuantizedLinear(problem));
      return std::unique_ptr<PreparedKernel>(std::make_unique<IntegerProduct>(shape, problem));
    },
};

}  // namespace tamis
