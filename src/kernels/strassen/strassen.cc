#include "src/kernels/strassen/strassen.h"

#include <algorithm>

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/get_packed.h"

namespace tamis::strassen {

namespace {

Result<Shape> ReadProduct(const Problem& problem) {
  Shape shape;
  if (problem.node->op == "ChannelsLastConv") {
    TAMIS_ASSIGN_OR_RETURN(const ConvShape conv, ReadConv(problem));
    if (!conv.Pointwise() || conv.group != 1) return UserError("needs 1 x 1, stride one, no padding and one group");
    shape.gemm = conv.AsGemm();
    shape.entry_rows = conv.OutPixels();
    return shape;
  }
  TAMIS_ASSIGN_OR_RETURN(shape.gemm, ReadLinear(problem));
  const Dims& dims = problem.input(0).dims;
  // Of [rows, depth] each row may be a request of its own.
  if (dims.size() < 3) {
    return UserError("x has {} axes; needs three, or rows of different requests would mix", dims.size());
  }
  shape.entry_rows = dims[dims.size() - 2];
  return shape;
}

// A product's sums of the weight for a panel of outputs from `first` on, [kLanes][half of the depth]. They have two
// terms at the most: adding them up in f32 rounds once.
void SumWeights(const Tensor& weight, const Shape& shape, const Product& product, int64_t first, float* to) {
  const int64_t half = shape.FirstDepth(), depth = shape.gemm.depth;
  std::fill_n(to, PackedPanels::kLanes * half, 0.F);
  for (int64_t lane = 0; lane < PackedPanels::kLanes; ++lane, to += half) {
    for (int o = 0; o < 2; ++o) {
      const int64_t output = o * shape.FirstOutputs() + first + lane;
      if (output >= shape.gemm.outputs) continue;
      for (int d = 0; d < 2; ++d) {
        const auto factor = static_cast<float>(product.weight[o][d]);
        if (factor == 0) continue;
        const float* const from = weight.Data<float>() + output * depth + d * half;
        const int64_t count = d == 0 ? half : depth - half;
        for (int64_t k = 0; k < count; ++k) to[k] += factor * from[k];
      }
    }
  }
}

}  // namespace

Result<Shape> ReadShape(const Problem& problem) {
  TAMIS_ASSIGN_OR_RETURN(const Shape shape, ReadProduct(problem));
  const GemmShape& gemm = shape.gemm;
  if (gemm.in != DType::kFloat32) return UserError("x is {}; needs float32", Name(gemm.in));
  if (shape.entry_rows < 2) return UserError("one row for each entry of the batch; needs two");
  if (gemm.outputs <= shape.FirstOutputs()) {
    return UserError("{} outputs; needs more than {}", gemm.outputs, shape.FirstOutputs());
  }
  if (gemm.depth <= shape.FirstDepth()) {
    return UserError("a depth of {}; needs more than {}", gemm.depth, shape.FirstDepth());
  }
  return shape;
}

Status Supported(const Problem& problem) {
  return ReadShape(problem).status();
}

double Cost(const Problem& problem, Isa isa) {
  const Shape shape = ReadShape(problem).value();
  const double per_cycle = PanelFlopsPerCycle(isa, DType::kFloat32);
  const auto pairs = static_cast<double>(shape.Pairs()), depth = static_cast<double>(shape.FirstDepth());
  const auto outputs = static_cast<double>(shape.FirstOutputs());
  const double products = 2 * kProducts * pairs * depth * outputs;
  // Cycles for a vector of sixteen: four loads and seven stores of sums of x, seven loads and four stores of results.
  const double sums = pairs * (20 * depth + 30 * outputs) / 16 * per_cycle;
  const double weight_share = static_cast<double>(kProducts) / 4;
  return PredictSeconds(products + sums, per_cycle, GemmBytes(shape.gemm, weight_share), problem.threads);
}

Result<std::shared_ptr<const PackedPanels>> Weight(PackCache& cache, const Operand& weight, const Shape& shape) {
  return GetPacked<PackedPanels>(
      cache, weight.constant_hash, "strassen/panels32", [&]() -> Result<std::shared_ptr<const PackedPanels>> {
        constexpr int64_t kLanes = PackedPanels::kLanes;
        const int64_t half = shape.FirstDepth();
        std::vector<float> rows(static_cast<size_t>(kLanes * half));
        return PackedPanels::MakeDense(shape.Panels() * kProducts * kLanes, half, [&](int64_t panel) {
          SumWeights(*weight.constant, shape, kMethod[panel % kProducts], panel / kProducts * kLanes, rows.data());
          return rows.data();
        });
      });
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache& cache, Make make) {
  TAMIS_ASSIGN_OR_RETURN(const Shape shape, ReadShape(problem));
  TAMIS_ASSIGN_OR_RETURN(auto weight, Weight(cache, problem.input(1), shape));
  return make(shape, std::move(weight), problem.threads);
}

}  // namespace tamis::strassen
