#include "src/kernels/transpose/interleave_planes.h"

#include <algorithm>

#include "src/kernels/operand_check.h"
#include "src/kernels/row_kernel.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

class InterleavePlanes : public RowKernel {
 public:
  InterleavePlanes(const Problem& problem, InterleaveRoutine routine)
      : routine_(routine),
        element_(BitSize(problem.input(0).dtype) / 8),
        planes_(problem.input(0).dims[1]),
        rows_(NumElements(problem.input(0).dims) / planes_),
        pixels_(rows_ / std::max<int64_t>(problem.input(0).dims[0], 1)),
        lines_(planes_ * pixels_ / std::max<int64_t>(problem.input(0).dims.back(), 1)) {}

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* scratch,
           ThreadPool& pool) const override {
    constexpr int64_t kGrain = 8192;  // pixels that are worth a thread
    pool.ParallelFor(rows_, kGrain, [&](int64_t begin, int64_t end) {
      RunRows(inputs, outputs, {begin, end}, scratch);
    });
  }

  // Every plane has some of each pixel: whole images.
  RowSpan Needs(RowSpan rows) const override {
    return {rows.begin / pixels_ * lines_, (rows.end + pixels_ - 1) / pixels_ * lines_};
  }
  size_t RowScratchBytes(int64_t /*rows*/) const override { return 0; }
  void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
               std::byte* /*scratch*/) const override {
    const auto* x = static_cast<const std::byte*>(inputs[0]);
    auto* y = static_cast<std::byte*>(outputs[0]);
    for (int64_t row = rows.begin; row < rows.end;) {
      const int64_t image = row / pixels_, pixel = row % pixels_;
      const int64_t count = std::min(pixels_ - pixel, rows.end - row);
      routine_(x + (image * planes_ * pixels_ + pixel) * element_, pixels_, planes_, count,
               y + row * planes_ * element_);
      row += count;
    }
  }

 private:
  InterleaveRoutine routine_;
  int64_t element_;  // bytes
  int64_t planes_;
  int64_t rows_;    // pixels of all images
  int64_t pixels_;  // of one
  int64_t lines_;   // of its planes
};

}  // namespace

Status SupportsInterleave(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckMovable(problem.input(0).dtype));
  const Dims& dims = problem.input(0).dims;
  std::vector<int64_t> expected = {0};
  for (size_t axis = 2; axis < dims.size(); ++axis) expected.push_back(static_cast<int64_t>(axis));
  expected.push_back(1);
  if (dims.size() < 3 || problem.node->Ints("perm", {}) != expected) {
    return UserError("attribute perm does not move the channels behind all that follow them");
  }
  if (dims[1] < 2 || dims[1] > kMostPlanes) return UserError("{} channels; needs 2 to {}", dims[1], kMostPlanes);
  return {};
}

std::unique_ptr<PreparedKernel> MakeInterleave(const Problem& problem, InterleaveRoutine routine) {
  return std::make_unique<InterleavePlanes>(problem, routine);
}

}  // namespace tamis
