#include "src/kernels/strassen/strassen.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/gemm/gemm_panels.h"
#include "src/kernels/gemm/shared_units.h"
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
    return UserError("x has {} axes; needs three, or rows of different entries would mix", dims.size());
  }
  shape.entry_rows = dims[dims.size() - 2];
  return shape;
}

// A product's sums of the weight for a panel of outputs from `first` on, [kLanes][half of the depth]. They have two
// terms at the most: adding them up in f32 rounds once. Weights are multiplied by the inverses, powers of two, of what
// x and the results are multiplied by.
void SumWeights(const Tensor& weight, const Shape& shape, const Product& product, int64_t first,
                const std::vector<float>& inverse_features, const std::vector<float>& outputs, float* to) {
  const int64_t half = shape.FirstDepth(), depth = shape.gemm.depth;
  std::fill_n(to, PackedPanels::kLanes * half, 0.F);
  for (int64_t lane = 0; lane < PackedPanels::kLanes; ++lane, to += half) {
    for (int o = 0; o < 2; ++o) {
      const int64_t output = o * shape.FirstOutputs() + first + lane;
      if (output >= shape.gemm.outputs) continue;
      for (int d = 0; d < 2; ++d) {
        if (product.weight[o][d] == 0) continue;
        const float factor = static_cast<float>(product.weight[o][d]) / outputs[static_cast<size_t>(output)];
        const float* const from = weight.Data<float>() + output * depth + d * half;
        const float* const inverse = inverse_features.data() + d * half;
        const int64_t count = d == 0 ? half : depth - half;
        for (int64_t k = 0; k < count; ++k) to[k] += factor * (from[k] * inverse[k]);
      }
    }
  }
}

class StrassenProduct : public PreparedKernel {
 public:
  StrassenProduct(const Shape& shape, std::shared_ptr<const PackedSums> weight, int threads, const Vectors& vectors)
      : shape_(shape), weight_(std::move(weight)), vectors_(vectors) {
    pitch_ = CopyPitch(weight_->panels().groups(), kFloat);
    // What stays in the second-level cache is what one product reads and all of them write. The other sums of x come
    // from behind it, each line once a panel.
    const int64_t row_bytes = (pitch_ + kProducts * PackedPanels::kLanes) * kFloat;
    grid_ = CutPanelGrid(shape_.Pairs(), shape_.Panels(), row_bytes, threads, /*row_unit=*/1);
    shares_ = WorthSharing(shape_.gemm.rows * shape_.gemm.outputs * shape_.gemm.depth, Parts());
  }

  size_t WorkspaceBytes() const override {
    return UnitQueue::Bytes(Parts()) + static_cast<size_t>(Parts()) * BlockBytes();
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    UnitQueue* const queues = UnitQueue::MakeIn(workspace, Parts(), shares_);
    const auto part = [&](int index) {
      Block block = BlockIn(workspace + UnitQueue::Bytes(Parts()) + static_cast<size_t>(index) * BlockBytes());
      const auto units_of = [this](int64_t of) { return UnitsOfPart(grid_, shape_.Pairs(), shape_.Panels(), of); };
      RunUnits(queues, Parts(), index, units_of, [&](int64_t /*of*/, const PartUnits::Unit& unit) {
        if (block.first_pair != unit.rows.begin || block.end_pair != unit.rows.end) {
          block.first_pair = unit.rows.begin;
          block.end_pair = unit.rows.end;
          vectors_.sum(block, static_cast<const float*>(inputs[0]));
        }
        Multiply(block, unit);
        vectors_.finish(block, unit.panel, inputs, outputs[0]);
      });
    };
    pool.Run(static_cast<int>(Parts()), [&part](int index) { part(index); });
  }

 private:
  static constexpr int64_t kFloat = sizeof(float);

  int64_t Parts() const { return grid_.row_parts * grid_.panel_parts; }
  // Not a power of two from product to product.
  int64_t XPlane() const { return grid_.block_rows * pitch_ + 16; }
  int64_t ProductPlane() const { return grid_.block_rows * PackedPanels::kLanes + 16; }
  size_t BlockBytes() const {
    const int64_t floats = kProducts * (XPlane() + ProductPlane()) + 2 * grid_.block_rows;
    return static_cast<size_t>((floats * kFloat + 63) / 64 * 64);
  }
  Block BlockIn(std::byte* memory) const {
    Block block;
    block.shape = &shape_;
    block.weight = weight_.get();
    block.pitch = pitch_;
    block.x_plane = XPlane();
    block.product_plane = ProductPlane();
    block.x = reinterpret_cast<float*>(memory);
    block.products = block.x + kProducts * block.x_plane;
    block.scales = block.products + kProducts * block.product_plane;
    return block;
  }

  void Multiply(const Block& block, const PartUnits::Unit& unit) const {
    const PackedPanels& panels = weight_->panels();
    const Epilogue none;
    PanelTask task;
    task.x_pitch = pitch_;
    task.rows = unit.rows.end - unit.rows.begin;
    task.groups = task.tap_groups = panels.groups();
    task.epilogue = &none;
    task.y_pitch = PackedPanels::kLanes;
    task.lanes = static_cast<int>(PackedPanels::kLanes);
    const int64_t first = unit.panel * kProducts;
    for (int64_t p = 0; p < kProducts; ++p) {
      const bool has_next = p + 1 < kProducts || unit.has_next;
      task.values = panels.values(first + p);
      task.ahead = has_next ? panels.values(first + p + 1) : nullptr;
      task.ahead_lines = has_next ? (panels.values(1) - panels.values(0)) / 64 : 0;
      task.x = block.x + p * block.x_plane;
      task.y = block.products + p * block.product_plane;
      vectors_.multiply(task);
    }
  }

  Shape shape_;
  std::shared_ptr<const PackedSums> weight_;
  Vectors vectors_;
  int64_t pitch_ = 0;  // elements from pair to pair of the sums of x
  PanelGrid grid_;     // of pairs and panels
  bool shares_ = false;
};

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
  // As of all eight products: what nobody has timed does without its tenth, and without its memory and errors.
  const double products = 2 * 8 * pairs * depth * outputs;
  // Cycles for a vector: twelve loads and seven stores for the sums of x, seven loads and four stores for results. A
  // vector's numbers are a quarter of the operations in a cycle.
  const double sums = pairs * (32 * depth + 32 * outputs) * 4;
  const double weight_share = static_cast<double>(kProducts) / 4;
  return PredictSeconds(products + sums, per_cycle, GemmBytes(shape.gemm, weight_share), problem.threads);
}

float PowerBelow(float largest) {
  constexpr uint32_t kExponents = 0x7f800000, kMost = 0x7e800000;  // 2^126
  const uint32_t bits = std::bit_cast<uint32_t>(largest) & kExponents;
  if (bits == 0 || bits == kExponents) return 1;
  return std::bit_cast<float>(std::min(bits, kMost));
}

PackedSums::PackedSums(const Tensor& weight, const Shape& shape)
    : features_(static_cast<size_t>(shape.gemm.depth)), outputs_(static_cast<size_t>(shape.gemm.outputs)) {
  const int64_t depth = shape.gemm.depth;
  const auto row = [&](size_t output) { return weight.Data<float>() + static_cast<int64_t>(output) * depth; };
  for (size_t output = 0; output < outputs_.size(); ++output) {
    for (size_t k = 0; k < features_.size(); ++k) features_[k] = std::max(features_[k], std::abs(row(output)[k]));
  }
  std::vector<float> inverse;
  for (float& feature : features_) {
    feature = PowerBelow(feature);
    inverse.push_back(1 / feature);
  }
  for (size_t output = 0; output < outputs_.size(); ++output) {
    float largest = 0;
    for (size_t k = 0; k < features_.size(); ++k) largest = std::max(largest, std::abs(row(output)[k] * inverse[k]));
    outputs_[output] = PowerBelow(largest);
  }
  std::vector<float> rows(static_cast<size_t>(PackedPanels::kLanes * shape.FirstDepth()));
  const auto rows_of_panel = [&](int64_t panel) {
    SumWeights(weight, shape, kMethod[panel % kProducts], panel / kProducts * PackedPanels::kLanes, inverse, outputs_,
               rows.data());
    return rows.data();
  };
  panels_ =
      PackedPanels::MakeDense(shape.Panels() * kProducts * PackedPanels::kLanes, shape.FirstDepth(), rows_of_panel);
}

size_t PackedSums::Bytes() const {
  return panels_->Bytes() + (features_.size() + outputs_.size()) * sizeof(float);
}

Result<std::shared_ptr<const PackedSums>> PackedSums::Get(PackCache& cache, const Operand& weight, const Shape& shape) {
  return GetPacked<PackedSums>(cache, weight.constant_hash, "strassen/panels32",
                               [&]() -> Result<std::shared_ptr<const PackedSums>> {
                                 return std::shared_ptr<const PackedSums>(new PackedSums(*weight.constant, shape));
                               });
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache& cache, const Vectors& vectors) {
  TAMIS_ASSIGN_OR_RETURN(const Shape shape, ReadShape(problem));
  TAMIS_ASSIGN_OR_RETURN(auto weight, PackedSums::Get(cache, problem.input(1), shape));
  std::unique_ptr<PreparedKernel> kernel =
      std::make_unique<StrassenProduct>(shape, std::move(weight), problem.threads, vectors);
  return kernel;
}

}  // namespace tamis::strassen
