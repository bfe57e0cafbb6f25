#include <unistd.h>

#include <algorithm>
#include <array>

#include "src/kernels/gemm/columns.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

constexpr int64_t kMostVectors = 8;
constexpr int64_t kMostRows = kMostVectors * kMostLanes;  // of a block
constexpr int64_t kMostInputs = kMostXBlocks * PackedColumns::kBlock;
alignas(64) constexpr std::array<float, kMostInputs> kZeroRow = {};

// Bytes of a block of x: most of the first-level cache, but for what streams through it.
int64_t BlockBytes() {
  static const int64_t kBytes = sysconf(_SC_LEVEL1_DCACHE_SIZE) >= (48 << 10) ? 32 << 10 : 16 << 10;
  return kBytes;
}

// Rows of the product and where their inputs lie. A matrix product is a convolution with one tap.
struct Shape {
  GemmShape gemm;
  ConvShape conv;
  int64_t tap_channels = 0;
  bool pointwise = false;  // row r is at r * depth

  int64_t element() const { return BitSize(gemm.in) / 8; }
};

Shape LinearShape(const GemmShape& gemm) {
  Shape shape;
  shape.gemm = gemm;
  shape.tap_channels = gemm.depth;
  shape.pointwise = true;
  return shape;
}

Shape ConvolutionShape(const ConvShape& conv) {
  Shape shape;
  shape.gemm = conv.AsGemm();
  shape.conv = conv;
  shape.pointwise = conv.Pointwise();
  shape.tap_channels = shape.pointwise ? shape.gemm.depth : conv.channels;
  return shape;
}

// What one output pixel reads: the taps from (z, y, x) on of an image; null behind the last row.
struct RowOrigin {
  const std::byte* image = nullptr;
  int64_t z = 0, y = 0, x = 0;
};

class ColumnsProduct : public PreparedKernel {
 public:
  ColumnsProduct(const Shape& shape, std::shared_ptr<const PackedColumns> weight, int threads,
                 const ColumnsRoutine& routine)
      : shape_(shape), weight_(std::move(weight)), routine_(routine), threads_(std::max(threads, 1)) {
    const int64_t vectors = (shape_.gemm.rows + routine_.lanes - 1) / routine_.lanes;
    row_blocks_ = (vectors + routine_.most_vectors - 1) / routine_.most_vectors;
    if (row_blocks_ >= threads_) {
      row_blocks_ = std::min(vectors, (row_blocks_ + threads_ - 1) / threads_ * threads_);
    } else {
      unit_parts_ = (threads_ + row_blocks_ - 1) / row_blocks_;
    }
    const int64_t widest = (vectors + row_blocks_ - 1) / row_blocks_;
    row_bytes_ = widest * routine_.lanes * 4;
    x_blocks_ = std::clamp<int64_t>(BlockBytes() / (row_bytes_ * PackedColumns::kBlock), 1, kMostXBlocks);
    x_bytes_ = x_blocks_ * PackedColumns::kBlock * row_bytes_;
    sums_bytes_ = std::min(PackedColumns::kChunk, shape_.gemm.outputs) * row_bytes_;
  }

  size_t WorkspaceBytes() const override {
    const int64_t parts = unit_parts_ > 1 ? row_blocks_ * unit_parts_ : std::min<int64_t>(threads_, row_blocks_);
    return static_cast<size_t>(parts * x_bytes_ + (unit_parts_ > 1 ? row_blocks_ : parts) * sums_bytes_);
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    const Call call = {inputs, outputs[0]};
    if (unit_parts_ == 1) {  // every part has rows of its own
      const auto parts = std::min<int64_t>(threads_, row_blocks_);
      pool.Run(static_cast<int>(parts), [&](int part) {
        std::byte* scratch = workspace + part * (x_bytes_ + sums_bytes_);
        auto* sums = reinterpret_cast<float*>(scratch + x_bytes_);
        const PartSpan blocks = PartOf(row_blocks_, parts, part);
        for (int64_t block = blocks.begin; block < blocks.end; ++block) {
          for (const PackedColumns::Chunk& chunk : weight_->chunks()) {
            Multiply(call, block, chunk, 0, reinterpret_cast<float*>(scratch), sums);
            Store(call, block, chunk, 0, sums);
          }
        }
      });
      return;
    }
    // Parts share rows and split the outputs: by units first, which lie anywhere, then by panels of y.
    const auto parts = static_cast<int>(row_blocks_ * unit_parts_);
    const auto sums = [&](int part) {
      std::byte* all = workspace + parts * x_bytes_;
      return reinterpret_cast<float*>(all + part / unit_parts_ * sums_bytes_);
    };
    for (const PackedColumns::Chunk& chunk : weight_->chunks()) {
      pool.Run(parts, [&](int part) {
        auto* x = reinterpret_cast<float*>(workspace + part * x_bytes_);
        Multiply(call, part / unit_parts_, chunk, part % unit_parts_, x, sums(part));
      });
      pool.Run(parts, [&](int part) { Store(call, part / unit_parts_, chunk, part % unit_parts_, sums(part)); });
    }
  }

 private:
  struct Call {
    std::span<const void* const> inputs;
    void* y;
  };

  // Rows of a block, whole vectors but at the end.
  PartSpan RowsOfBlock(int64_t block) const {
    const int64_t vectors = (shape_.gemm.rows + routine_.lanes - 1) / routine_.lanes;
    const PartSpan span = PartOf(vectors, row_blocks_, block);
    return {span.begin * routine_.lanes, std::min(span.end * routine_.lanes, shape_.gemm.rows)};
  }
  int64_t VectorsOf(PartSpan rows) const { return (rows.end - rows.begin + routine_.lanes - 1) / routine_.lanes; }

  // The sums of a chunk's units that belong to part `part` of the outputs.
  void Multiply(const Call& call, int64_t block, const PackedColumns::Chunk& chunk, int64_t part, float* x,
                float* sums) const {
    const PartSpan rows = RowsOfBlock(block);
    std::array<RowOrigin, kMostRows> origins;
    FindOrigins(call, rows, origins);
    ColumnsTask task;
    task.x = x;
    task.vectors = VectorsOf(rows);
    task.bf16 = weight_->dtype() == DType::kBFloat16;
    task.sums = sums;
    for (int64_t first = 0; first < weight_->blocks(); first += x_blocks_) {
      task.first = first == 0;
      task.blocks = std::min(x_blocks_, weight_->blocks() - first);
      task.last_octets = weight_->OctetsOf(first + task.blocks - 1);
      LoadX(origins, task.vectors, first * PackedColumns::kBlock,
            (task.blocks - 1) * PackedColumns::kBlock + task.last_octets * 8, x);
      for (const PackedColumns::Section* section : {&chunk.pairs, &chunk.singles}) {
        const PartSpan units = PartOf(section->units(), unit_parts_, part);
        task.width = section->width;
        task.units = units.end - units.begin;
        if (task.units == 0) continue;
        task.outputs = section->outputs.data() + units.begin * section->width;
        for (int64_t b = 0; b < task.blocks; ++b) {
          task.values[static_cast<size_t>(b)] = weight_->values(*section, first + b, units.begin);
          task.codes[static_cast<size_t>(b)] = weight_->codes(*section, first + b, units.begin);
        }
        routine_.multiply(task);
      }
    }
  }

  void FindOrigins(const Call& call, PartSpan rows, std::array<RowOrigin, kMostRows>& origins) const {
    const auto* x = static_cast<const std::byte*>(call.inputs[0]);
    const ConvShape& conv = shape_.conv;
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      RowOrigin& origin = origins[static_cast<size_t>(row - rows.begin)];
      if (shape_.pointwise) {
        origin.image = x + row * shape_.gemm.depth * shape_.element();
        continue;
      }
      const int64_t image = row / conv.OutPixels();
      origin.image = x + image * conv.in[0] * conv.in[1] * conv.in[2] * conv.channels * shape_.element();
      origin.z = row / (conv.out[1] * conv.out[2]) % conv.out[0] * conv.stride[0] - conv.pad_begin[0];
      origin.y = row / conv.out[2] % conv.out[1] * conv.stride[1] - conv.pad_begin[1];
      origin.x = row % conv.out[2] * conv.stride[2] - conv.pad_begin[2];
    }
  }

  // Inputs [first, first + count) of the rows to [input][rows]; zeros behind the depth's end, and where a row has none.
  void LoadX(const std::array<RowOrigin, kMostRows>& origins, int64_t vectors, int64_t first, int64_t count,
             float* x) const {
    const int64_t pitch = vectors * routine_.lanes, end = std::min(first + count, shape_.gemm.depth);
    for (int64_t k = first; k < end;) {
      const int64_t tap = k / shape_.tap_channels, channel = k % shape_.tap_channels;
      const int64_t some = std::min(shape_.tap_channels - channel, end - k);
      const int64_t padded = k + some == end ? first + count - k : some;
      for (int64_t v = 0; v < vectors; ++v) {
        std::array<const void*, kMostLanes> rows;
        for (int64_t lane = 0; lane < routine_.lanes; ++lane) {
          const std::byte* pixel = PixelOf(origins[static_cast<size_t>(v * routine_.lanes + lane)], tap);
          rows[static_cast<size_t>(lane)] =
              pixel != nullptr ? static_cast<const void*>(pixel + channel * shape_.element()) : kZeroRow.data();
        }
        routine_.transpose(rows.data(), shape_.gemm.in == DType::kBFloat16, some, padded,
                           x + (k - first) * pitch + v * routine_.lanes, pitch);
      }
      k += some;
    }
  }
  // Where a row's inputs of a tap start; null in the padding.
  const std::byte* PixelOf(const RowOrigin& origin, int64_t tap) const {
    if (shape_.pointwise || origin.image == nullptr) return origin.image;
    const ConvShape& conv = shape_.conv;
    const int64_t z = origin.z + tap / (conv.kernel[1] * conv.kernel[2]) * conv.dilation[0];
    const int64_t y = origin.y + tap / conv.kernel[2] % conv.kernel[1] * conv.dilation[1];
    const int64_t x = origin.x + tap % conv.kernel[2] * conv.dilation[2];
    if (z < 0 || z >= conv.in[0] || y < 0 || y >= conv.in[1] || x < 0 || x >= conv.in[2]) return nullptr;
    return origin.image + ((z * conv.in[1] + y) * conv.in[2] + x) * conv.channels * shape_.element();
  }

  // Finishes part `part` of a chunk's panels for a block of rows.
  void Store(const Call& call, int64_t block, const PackedColumns::Chunk& chunk, int64_t part,
             const float* sums) const {
    constexpr int64_t kLanes = PackedPanels::kLanes;
    const PartSpan rows = RowsOfBlock(block);
    const PartSpan panels = PartOf((chunk.outputs + kLanes - 1) / kLanes, unit_parts_, part);
    const int64_t pitch = VectorsOf(rows) * routine_.lanes;
    const GemmShape& gemm = shape_.gemm;
    alignas(64) std::array<float, kMostLanes * kLanes> tile;
    PanelTask task;
    task.epilogue = &gemm.epilogue;
    task.residual_bf16 = gemm.residual == DType::kBFloat16;
    task.y_bf16 = gemm.out == DType::kBFloat16;
    task.y_pitch = gemm.outputs;
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      task.lanes = static_cast<int>(std::min(kLanes, chunk.outputs - panel * kLanes));
      const int64_t output = chunk.first + panel * kLanes;
      if (gemm.epilogue.bias) task.bias = static_cast<const float*>(call.inputs[2]) + output;
      for (int64_t row = rows.begin; row < rows.end; row += routine_.lanes) {
        for (int64_t lane = 0; lane < task.lanes; lane += routine_.lanes) {
          std::array<const void*, kMostLanes> from;
          for (int64_t i = 0; i < routine_.lanes; ++i) {
            const bool present = lane + i < task.lanes;
            from[static_cast<size_t>(i)] =
                present ? sums + (panel * kLanes + lane + i) * pitch + row - rows.begin : kZeroRow.data();
          }
          routine_.transpose(from.data(), false, routine_.lanes, routine_.lanes, tile.data() + lane, kLanes);
        }
        const int64_t at = row * gemm.outputs + output;
        if (gemm.epilogue.residual) {
          task.residual = static_cast<const std::byte*>(call.inputs[3]) + at * (task.residual_bf16 ? 2 : 4);
        }
        task.y = static_cast<std::byte*>(call.y) + at * (task.y_bf16 ? 2 : 4);
        task.rows = std::min(routine_.lanes, rows.end - row);
        routine_.finish(task, static_cast<int>(task.rows), tile.data());
      }
    }
  }

  Shape shape_;
  std::shared_ptr<const PackedColumns> weight_;
  ColumnsRoutine routine_;
  int threads_;
  int64_t row_blocks_ = 1, unit_parts_ = 1;
  int64_t x_blocks_ = 1;  // blocks of the weight's inputs in a block of x
  int64_t row_bytes_ = 0, x_bytes_ = 0, sums_bytes_ = 0;
};

double Cost(const GemmShape& gemm, Isa isa, int threads) {
  // Over dense f32 vectors, by the vectors of rows in a block: one load for each multiply-add, one more for its weight.
  constexpr std::array<double, 9> kSpeed = {0.85, 0.85, 1.1, 1.3, 1.4, 1.45, 1.5, 1.5, 1.55};
  const int64_t lanes = isa == Isa::kAvx512 ? 16 : 8;
  const int64_t vectors = (gemm.rows + lanes - 1) / lanes;
  const double flops = 2.0 * static_cast<double>(vectors * lanes * gemm.outputs) * static_cast<double>(gemm.depth);
  const double speed = kSpeed[static_cast<size_t>(std::min<int64_t>(vectors, 8))];
  return PredictSeconds(flops, PanelFlopsPerCycle(isa, DType::kFloat32) * speed, GemmBytes(gemm, 0.6), threads);
}

}  // namespace

Status GemmColumnsSupported(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(ReadLinear(problem).status());
  if (problem.input(1).pattern == Pattern::kDense) return UserError("the weight is not 2:4");
  return {};
}

Status ConvColumnsSupported(const Problem& problem) {
  const auto shape = ReadConv(problem);
  if (!shape.ok()) return shape.status();
  if (problem.input(1).pattern == Pattern::kDense) return UserError("the weight is not 2:4");
  if (shape->group != 1) return UserError("{} groups; needs one", shape->group);
  if (shape->channels % 4 != 0) return UserError("{} channels; needs a multiple of four", shape->channels);
  return {};
}

double GemmColumnsCost(const Problem& problem, Isa isa) {
  return Cost(*ReadLinear(problem), isa, problem.threads);
}

double ConvColumnsCost(const Problem& problem, Isa isa) {
  return Cost(ReadConv(problem)->AsGemm(), isa, problem.threads);
}

Result<std::unique_ptr<PreparedKernel>> PrepareGemmColumns(const Problem& problem, PackCache& cache,
                                                           const ColumnsRoutine& routine) {
  TAMIS_ASSIGN_OR_RETURN(const GemmShape gemm, ReadLinear(problem));
  const Operand& weight = problem.input(1);
  TAMIS_ASSIGN_OR_RETURN(auto packed, PackedColumns::Get(cache, weight.constant_hash, *weight.constant));
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<ColumnsProduct>(LinearShape(gemm), std::move(packed), problem.threads, routine));
}

Result<std::unique_ptr<PreparedKernel>> PrepareConvColumns(const Problem& problem, PackCache& cache,
                                                           const ColumnsRoutine& routine) {
  TAMIS_ASSIGN_OR_RETURN(const ConvShape conv, ReadConv(problem));
  const Operand& weight = problem.input(1);
  TAMIS_ASSIGN_OR_RETURN(auto packed, PackedColumns::Get(cache, weight.constant_hash, *weight.constant));
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<ColumnsProduct>(ConvolutionShape(conv), std::move(packed), problem.threads, routine));
}

}  // namespace tamis
