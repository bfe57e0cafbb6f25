#include "src/kernels/conv/conv_panels.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "src/base/hash.h"
#include "src/kernels/row_kernel.h"

namespace tamis {
namespace {

class ConvPanels : public RowKernel {
 public:
  ConvPanels(const ConvShape& shape, std::shared_ptr<const PackedPanels> weight, int threads, PanelRoutine routine)
      : shape_(shape),
        gemm_(shape.AsGemm()),
        weight_(std::move(weight)),
        routine_(routine),
        element_(BitSize(shape.in_dtype) / 8),
        grid_(CutPanelGrid(gemm_.rows, weight_->panels(), gemm_.depth * element_, threads)),
        pitch_(CopyPitch(weight_->groups(), element_)),
        lines_(AxesOf(shape)) {}

  size_t WorkspaceBytes() const override {
    return static_cast<size_t>(grid_.row_parts * grid_.panel_parts) * PartBytes();
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    const auto part = [&](int index) {
      RunPart(inputs, outputs[0], RowsOf(grid_, gemm_.rows, index), PanelsOf(grid_, weight_->panels(), index),
              workspace + static_cast<size_t>(index) * PartBytes());
    };
    pool.Run(static_cast<int>(grid_.row_parts * grid_.panel_parts), [&part](int index) { part(index); });
  }

  int64_t RowUnit() const override { return lines_.pixels(); }
  RowSpan Needs(RowSpan rows) const override { return lines_.Needs(rows); }
  size_t RowScratchBytes(int64_t /*rows*/) const override { return PartBytes(); }
  void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
               std::byte* scratch) const override {
    RunPart(inputs, outputs[0], {rows.begin, rows.end}, {0, weight_->panels()}, scratch);
  }

 private:
  void RunPart(std::span<const void* const> inputs, void* y, PartSpan rows, PartSpan panels, std::byte* scratch) const {
    const PanelRun run = {gemm_, *weight_, routine_, inputs, y};
    std::byte* block = scratch + PanelScratchBytes(weight_->groups());
    for (int64_t row = rows.begin; row < rows.end; row += grid_.block_rows) {
      const int64_t count = std::min(grid_.block_rows, rows.end - row);
      for (int64_t i = 0; i < count; ++i) {
        std::byte* to = block + i * pitch_ * element_;
        Gather(static_cast<const std::byte*>(inputs[0]), row + i, to);
        // Routines read whole groups.
        const int64_t rest = weight_->groups() * 4 - gemm_.depth;
        if (rest > 0) std::memset(to + gemm_.depth * element_, 0, static_cast<size_t>(rest * element_));
      }
      run(block, pitch_, row, count, panels, scratch);
    }
  }

  size_t PartBytes() const {
    return PanelScratchBytes(weight_->groups()) +
           static_cast<size_t>(grid_.block_rows * pitch_ * element_ + 63) / 64 * 64;
  }

  // All taps of output pixel `pixel`, counted over images, one behind the other.
  void Gather(const std::byte* x, int64_t pixel, std::byte* to) const {
    const int64_t image = pixel / shape_.OutPixels();
    const int64_t z = pixel / (shape_.out[1] * shape_.out[2]) % shape_.out[0];
    const int64_t y = pixel / shape_.out[2] % shape_.out[1];
    const auto start = [&](size_t axis, int64_t at) { return at * shape_.stride[axis] - shape_.pad_begin[axis]; };
    const int64_t z0 = start(0, z);
    const int64_t y0 = start(1, y);
    const int64_t x0 = start(2, pixel % shape_.out[2]);
    const std::byte* from = x + image * shape_.in[0] * shape_.in[1] * shape_.in[2] * shape_.channels * element_;
    const auto row_bytes = static_cast<size_t>(shape_.kernel[2] * shape_.channels * element_);
    for (int64_t i = 0; i < shape_.kernel[0]; ++i) {
      const int64_t in_z = z0 + i * shape_.dilation[0];
      for (int64_t j = 0; j < shape_.kernel[1]; ++j, to += row_bytes) {
        const int64_t in_y = y0 + j * shape_.dilation[1];
        if (in_z < 0 || in_z >= shape_.in[0] || in_y < 0 || in_y >= shape_.in[1]) {
          std::memset(to, 0, row_bytes);
        } else {
          GatherRow(from + (in_z * shape_.in[1] + in_y) * shape_.in[2] * shape_.channels * element_, x0, to);
        }
      }
    }
  }

  // The taps of one kernel row; neighbours without dilation are copied together.
  void GatherRow(const std::byte* from, int64_t x0, std::byte* to) const {
    const int64_t tap = shape_.channels * element_;
    const int64_t taps = shape_.kernel[2];
    const int64_t width = shape_.in[2];
    if (shape_.dilation[2] == 1) {
      const int64_t begin = std::clamp<int64_t>(-x0, 0, taps);
      const int64_t end = std::clamp<int64_t>(width - x0, begin, taps);
      std::memset(to, 0, static_cast<size_t>(begin * tap));
      if (end > begin)
        std::memcpy(to + begin * tap, from + (x0 + begin) * tap, static_cast<size_t>((end - begin) * tap));
      std::memset(to + end * tap, 0, static_cast<size_t>((taps - end) * tap));
      return;
    }
    for (int64_t i = 0; i < taps; ++i, to += tap) {
      const int64_t in_x = x0 + i * shape_.dilation[2];
      if (in_x < 0 || in_x >= width) {
        std::memset(to, 0, static_cast<size_t>(tap));
      } else {
        std::memcpy(to, from + in_x * tap, static_cast<size_t>(tap));
      }
    }
  }

  ConvShape shape_;
  GemmShape gemm_;
  std::shared_ptr<const PackedPanels> weight_;
  PanelRoutine routine_;
  int64_t element_;  // bytes
  PanelGrid grid_;
  int64_t pitch_;
  WindowLines lines_;
};

// A kernel whose rows are no whole groups of four elements (7 taps of 3 channels) gets taps of zeros at their ends, so
// that x is read where it lies. Nothing if they are, or that would be many.
std::optional<ConvShape> WithWholeGroups(const ConvShape& shape, Taps taps) {
  constexpr double kMostWork = 1.34;
  if (taps != Taps::kGroups || shape.group != 1 || shape.dilation[2] != 1 || HasImplicitTaps(shape, taps)) return {};
  ConvShape wide = shape;
  while (wide.kernel[2] * wide.channels % 4 != 0) ++wide.kernel[2];
  if (static_cast<double>(wide.kernel[2]) > kMostWork * static_cast<double>(shape.kernel[2])) return {};
  const int64_t reach = (wide.out[2] - 1) * wide.stride[2] + wide.kernel[2];
  wide.pad_end[2] = std::max(wide.pad_end[2], reach - wide.pad_begin[2] - wide.in[2]);
  return wide;
}

Tensor WidenRows(const Tensor& weight, const ConvShape& from, const ConvShape& to) {
  const size_t element = BitSize(weight.dtype()) / 8;
  const auto bytes = static_cast<size_t>(from.kernel[2] * from.channels) * element;
  const auto wide_bytes = static_cast<size_t>(to.kernel[2] * to.channels) * element;
  const int64_t rows = from.outputs * from.kernel[0] * from.kernel[1];
  Tensor wide(weight.dtype(), {to.outputs, to.Depth()});
  std::memset(wide.raw(), 0, wide.NumBytes());
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(wide.raw() + static_cast<size_t>(row) * wide_bytes, weight.raw() + static_cast<size_t>(row) * bytes,
                bytes);
  }
  return wide;
}

// `weight_share`: bytes of the weight over its dense ones.
double PanelSeconds(const ConvShape& shape, double flops_per_cycle, double weight_share, Taps taps, int threads) {
  const GemmShape gemm = shape.AsGemm();
  const double flops = 2.0 * static_cast<double>(gemm.rows * gemm.outputs) * static_cast<double>(gemm.depth);
  const double seconds = PredictSeconds(flops, flops_per_cycle, GemmBytes(gemm, weight_share), threads);
  if (shape.Pointwise() || HasImplicitTaps(shape, taps)) return seconds;
  if (const auto wide = WithWholeGroups(shape, taps)) {
    return seconds * static_cast<double>(wide->Depth()) / static_cast<double>(shape.Depth());
  }
  // Gathered rows are written and read once more, at the pace of the second-level cache.
  const double gathered = static_cast<double>(gemm.rows) * static_cast<double>(gemm.depth) * BitSize(gemm.in) / 8.0;
  return seconds + gathered / (60e9 * threads);
}

Status OneTap(const Problem& problem) {
  if (ReadConv(problem)->Pointwise()) return {};
  return UserError("needs a kernel of one pixel, no stride and no padding");
}

}  // namespace

Status ConvPanelsSupported(const Problem& problem, DType dtype, Pattern pattern) {
  const auto shape = ReadConv(problem);
  if (!shape.ok()) return shape.status();
  if (pattern == Pattern::kTwoFour && problem.input(1).pattern != pattern) return UserError("the weight is not 2:4");
  if (shape->group != 1) return UserError("{} groups; needs one", shape->group);
  if (pattern == Pattern::kTwoFour && shape->channels % 4 != 0)
    return UserError("{} channels; needs a multiple of four", shape->channels);
  if (shape->in_dtype != dtype)
    return UserError("x is {}; this kernel computes in {}", Name(shape->in_dtype), Name(dtype));
  return {};
}

double ConvPanelsCost(const Problem& problem, Isa isa, Pattern pattern, Taps taps) {
  const auto shape = ReadConv(problem);
  const bool sparse = pattern == Pattern::kTwoFour;
  const double per_cycle =
      sparse ? SparseFlopsPerCycle(isa, shape->in_dtype) : PanelFlopsPerCycle(isa, shape->in_dtype);
  return PanelSeconds(*shape, per_cycle, sparse ? 0.6 : 1, taps, problem.threads);
}

double ConvTilesCost(const Problem& problem) {
  const auto shape = ReadConv(problem);
  const int64_t line = shape->Pointwise() ? shape->AsGemm().rows : shape->out[2];
  return PanelSeconds(*shape, TileFlopsPerCycle(line), 1, Taps::kGroups, problem.threads);
}

Result<std::unique_ptr<PreparedKernel>> PrepareConvPanels(const Problem& problem, PackCache& cache, Pattern pattern,
                                                          PanelRoutine routine, Taps taps, LaneOrder order) {
  TAMIS_ASSIGN_OR_RETURN(const ConvShape shape, ReadConv(problem));
  const Operand& weight = problem.input(1);
  if (const auto wide = WithWholeGroups(shape, taps)) {
    const Tensor rows = WidenRows(*weight.constant, shape, *wide);
    TAMIS_ASSIGN_OR_RETURN(auto packed, PackedPanels::Get(cache, HashTensor(rows), rows, pattern, order));
    return MakeImplicitConv(*wide, std::move(packed), problem.threads, routine);
  }
  TAMIS_ASSIGN_OR_RETURN(auto packed, PackedPanels::Get(cache, weight.constant_hash, *weight.constant, pattern, order));
  if (shape.Pointwise()) return MakeGemmPanels(shape.AsGemm(), std::move(packed), problem.threads, routine);
  if (HasImplicitTaps(shape, taps)) return MakeImplicitConv(shape, std::move(packed), problem.threads, routine);
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<ConvPanels>(shape, std::move(packed), problem.threads, routine));
}

Status ExpandedConvSupported(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(ConvPanelsSupported(problem, DType::kBFloat16, Pattern::kTwoFour));
  TAMIS_RETURN_IF_ERROR(OneTap(problem));
  return ExpandedRowsSupported(ReadConv(problem)->AsGemm().rows);
}

double ExpandedConvCost(const Problem& problem) {
  return ExpandedPanelsCost(ReadConv(problem)->AsGemm(), problem.threads);
}

Status WidenedConvSupported(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(ConvPanelsSupported(problem, DType::kBFloat16, Pattern::kDense));
  return OneTap(problem);
}

double WidenedConvCost(const Problem& problem) {
  return WidenedPanelsCost(ReadConv(problem)->AsGemm(), problem.threads);
}

Result<std::unique_ptr<PreparedKernel>> PrepareWidenedConv(const Problem& problem, PackCache& cache) {
  TAMIS_ASSIGN_OR_RETURN(const ConvShape shape, ReadConv(problem));
  return PrepareWidenedPanels(shape.AsGemm(), problem, cache);
}

}  // namespace tamis
