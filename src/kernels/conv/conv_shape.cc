#include "src/kernels/conv/conv_shape.h"

#include <algorithm>

namespace tamis {
namespace {

// Bounds that keep sizes and offsets of a convolution far from overflow.
constexpr int64_t kLargest = int64_t{1} << 31;

bool InRange(const std::vector<int64_t>& values, int64_t least) {
  for (const int64_t v : values) {
    if (v < least || v > kLargest) return false;
  }
  return true;
}

bool ReachesAlong(const ConvShape& shape, size_t axis) {
  const bool strided = shape.stride[axis] > 1 && shape.in[axis] > 1;
  return shape.kernel[axis] > 1 || strided || shape.pad_begin[axis] + shape.pad_end[axis] > 0;
}

// Frames of a video that the kernel takes one by one are images, and pixels that it does not tell from frame to frame
// are one long row.
void JoinAxes(ConvShape& shape) {
  if (shape.rank < 3) return;
  if (!ReachesAlong(shape, 0)) {
    shape.batch *= shape.in[0];
    shape.in[0] = shape.out[0] = 1;
  } else if (!ReachesAlong(shape, 1) && !ReachesAlong(shape, 2)) {
    shape.in[2] = shape.out[2] = shape.in[1] * shape.in[2];
    shape.in[1] = shape.out[1] = 1;
  }
}

void DropUnitAxes(ConvShape& shape) {
  size_t to = 3;
  for (size_t from = 3; from-- > 0;) {
    if (shape.in[from] == 1 && !ReachesAlong(shape, from)) continue;
    --to;
    for (ConvShape::Axes* axes :
         {&shape.in, &shape.out, &shape.kernel, &shape.stride, &shape.dilation, &shape.pad_begin, &shape.pad_end}) {
      (*axes)[to] = (*axes)[from];
    }
  }
  shape.rank = std::max<size_t>(3 - to, 1);
  while (to-- > 0) {
    shape.in[to] = shape.out[to] = shape.kernel[to] = shape.stride[to] = shape.dilation[to] = 1;
    shape.pad_begin[to] = shape.pad_end[to] = 0;
  }
}

}  // namespace

bool ConvShape::Pointwise() const {
  const Axes ones = {1, 1, 1};
  return kernel == ones && stride == ones && pad_begin == Axes{} && pad_end == Axes{};
}

GemmShape ConvShape::AsGemm() const {
  GemmShape gemm;
  gemm.rows = batch * OutPixels();
  gemm.outputs = outputs;
  gemm.depth = Depth();
  gemm.in = in_dtype;
  gemm.out = out_dtype;
  gemm.residual = residual_dtype;
  gemm.epilogue = epilogue;
  return gemm;
}

double ShareOfTapsInside(const ConvShape& shape) {
  double share = 1;
  for (size_t axis = 0; axis < shape.in.size(); ++axis) {
    int64_t inside = 0;
    for (int64_t tap = 0; tap < shape.kernel[axis]; ++tap) {
      // Outputs o with 0 <= o * stride + offset < in.
      const int64_t offset = tap * shape.dilation[axis] - shape.pad_begin[axis], stride = shape.stride[axis];
      const int64_t first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
      const int64_t behind = offset >= shape.in[axis] ? 0 : (shape.in[axis] - offset + stride - 1) / stride;
      inside += std::max<int64_t>(std::min(behind, shape.out[axis]) - first, 0);
    }
    share *= static_cast<double>(inside) / static_cast<double>(shape.kernel[axis] * shape.out[axis]);
  }
  return share;
}

std::array<SlidingAxis, 3> AxesOf(const ConvShape& shape) {
  std::array<SlidingAxis, 3> axes;
  for (size_t i = 0; i < axes.size(); ++i) {
    axes[i] = {.in = shape.in[i],
               .out = shape.out[i],
               .kernel = shape.kernel[i],
               .stride = shape.stride[i],
               .dilation = shape.dilation[i],
               .pad_begin = shape.pad_begin[i],
               .pad_end = shape.pad_end[i]};
  }
  return axes;
}

Result<ConvShape> ReadConv(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckOperands(problem));
  const Dims& x = problem.input(0).dims;
  const Dims& weight = problem.input(1).dims;
  const Dims& y = problem.outputs[0].dims;
  if (x.size() < 3 || x.size() > 5) return UserError("needs one to three spatial axes");
  if (weight.size() != x.size() || y.size() != x.size()) return UserError("x, weight and y differ in rank");
  if (!InRange(x, 1) || !InRange(weight, 1)) return UserError("an empty or oversized dimension");
  ConvShape shape;
  shape.rank = x.size() - 2;
  const std::vector<int64_t> ones(shape.rank, 1);
  const auto strides = problem.node->Ints("strides", ones);
  const auto dilations = problem.node->Ints("dilations", ones);
  const auto pads = problem.node->Ints("pads", std::vector<int64_t>(2 * shape.rank, 0));
  if (strides.size() != shape.rank || dilations.size() != shape.rank || pads.size() != 2 * shape.rank) {
    return UserError("strides, dilations or pads have the wrong length");
  }
  if (!InRange(strides, 1) || !InRange(dilations, 1) || !InRange(pads, 0)) {
    return UserError("strides and dilations must be positive, pads not negative");
  }
  shape.group = problem.node->Int("group", 1);
  shape.batch = x.front();
  shape.channels = x.back();
  shape.outputs = weight.front();
  if (shape.group < 1 || shape.channels % shape.group != 0 || shape.outputs % shape.group != 0 ||
      weight.back() != shape.channels / shape.group) {
    return UserError("channels {}, outputs {} and group {} do not fit", shape.channels, shape.outputs, shape.group);
  }
  Dims expected = {shape.batch};
  for (size_t i = 0; i < shape.rank; ++i) {
    const size_t axis = 3 - shape.rank + i;
    shape.in[axis] = x[i + 1];
    shape.kernel[axis] = weight[i + 1];
    shape.stride[axis] = strides[i];
    shape.dilation[axis] = dilations[i];
    shape.pad_begin[axis] = pads[i];
    shape.pad_end[axis] = pads[i + shape.rank];
    const int64_t reach = (weight[i + 1] - 1) * dilations[i] + 1;
    const int64_t padded = x[i + 1] + pads[i] + pads[i + shape.rank];
    if (padded < reach) return UserError("the kernel is larger than the padded input");
    shape.out[axis] = (padded - reach) / strides[i] + 1;
    expected.push_back(shape.out[axis]);
  }
  expected.push_back(shape.outputs);
  if (y != expected) return UserError("y is {}, expected {}", ToString(y), ToString(expected));
  shape.in_dtype = problem.input(0).dtype;
  shape.out_dtype = problem.outputs[0].dtype;
  shape.residual_dtype = problem.input(3).dtype;
  shape.epilogue = EpilogueOf(*problem.node);
  JoinAxes(shape);
  DropUnitAxes(shape);
  return shape;
}

}  // namespace tamis
