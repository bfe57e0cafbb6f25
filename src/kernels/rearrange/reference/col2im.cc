// Col2Im of f32: every tap of the block adds its rows of columns to the image.
#include <algorithm>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"
#include "src/ops/op_window.h"

namespace tamis {
namespace {

// Items are planes of the result. The geometry's input is the image, its output the places of the block.
struct Args {
  WindowGeometry geometry;
};

// The places along an axis whose tap lies inside the image: [begin, end).
struct Places {
  int64_t begin, end, shift;
};
Places PlacesOf(const SlidingAxis& axis, int64_t tap) {
  const int64_t shift = tap * axis.dilation - axis.pad_begin;
  const int64_t begin = shift >= 0 ? 0 : (-shift + axis.stride - 1) / axis.stride;
  const int64_t end = shift >= axis.in ? 0 : std::min(axis.out, (axis.in - 1 - shift) / axis.stride + 1);
  return {begin, std::max(begin, end), shift};
}

void Planes(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
            std::byte* /*scratch*/) {
  const auto& [z, y, x] = args.geometry.axes;
  const int64_t size = args.geometry.InputSize(), count = args.geometry.OutputSize();
  for (int64_t plane = begin; plane < end; ++plane) {
    float* image = static_cast<float*>(outputs[0]) + plane * size;
    std::fill_n(image, size, 0.0f);
    const float* columns = static_cast<const float*>(inputs[0]) + plane * args.geometry.KernelSize() * count;
    for (int64_t tap = 0; tap < args.geometry.KernelSize(); ++tap, columns += count) {
      const Places down = PlacesOf(z, tap / x.kernel / y.kernel), rows = PlacesOf(y, tap / x.kernel % y.kernel);
      const Places across = PlacesOf(x, tap % x.kernel);
      for (int64_t d = down.begin; d < down.end; ++d) {
        for (int64_t r = rows.begin; r < rows.end; ++r) {
          const float* from = columns + (d * y.out + r) * x.out;
          float* to = image + ((d * z.stride + down.shift) * y.in + r * y.stride + rows.shift) * x.in + across.shift;
          for (int64_t c = across.begin; c < across.end; ++c) to[c * x.stride] += from[c];
        }
      }
    }
  }
}

Result<Args> MakeArgs(const Problem& problem) {
  const Tensor* block = problem.input(2).constant;
  if (block == nullptr) return UserError("the block's shape isn't constant");
  const Dims &in = problem.input(0).dims, &out = problem.outputs[0].dims;
  NodeProblems problems;
  const SlidingWindow window = ReadWindow(*problem.node, block->ToInt64s(), WindowAttributes::kOnnx, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (in.size() != 3 || window.rank() + 2 != out.size()) return UserError("{} are no columns", ToString(in));
  const std::span<const int64_t> spatial = std::span<const int64_t>(out).subspan(2);
  std::vector<int64_t> places;
  for (size_t i = 0; i < spatial.size(); ++i) {
    places.push_back(WindowOutput(window, i, Dim(spatial[i]), &problems).Constant().value_or(0));
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Args args{GeometryOf(window, spatial, places)};
  if (args.geometry.OutputSize() != in[2] || args.geometry.KernelSize() * out[1] != in[1]) {
    return UserError("{} doesn't fit the block", ToString(in));
  }
  return args;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.input(0).dtype != DType::kFloat32) return UserError("input 0 is not float32");
  return MakeArgs(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  TAMIS_ASSIGN_OR_RETURN(const Args args, MakeArgs(problem));
  const Dims& out = problem.outputs[0].dims;
  const int64_t operations = args.geometry.OutputSize() * args.geometry.KernelSize();
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, Planes, out[0] * out[1], GrainFor(operations), problem.threads));
}

}  // namespace

extern const KernelDef kernel_col2im = {
    .name = "col2im",
    .family = "rearrange",
    .ops = {"Col2Im"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
