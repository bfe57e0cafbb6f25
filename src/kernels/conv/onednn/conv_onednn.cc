// Dense ChannelsLastConv through oneDNN: groups, depthwise, strides, pads, dilations, one to three spatial axes.
//
// Each part is a primitive of its own over some images, or over some output rows of one image: rows of channels-last
// data are contiguous, and what a part's first and last rows would read outside the image becomes its own padding.
#include "src/kernels/onednn.h"

#include <algorithm>

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/gemm/linear_onednn_parts.h"

namespace tamis {
namespace {

using dnnl::memory;
using Conv = dnnl::convolution_forward;

// Images [first, first + batch) and output rows [row, row + rows) of the outermost spatial axis.
struct Cut {
  int64_t first, batch, row, rows;
};

// Rank-dependent views of a ConvShape: oneDNN orders dimensions batch, channels, spatial.
struct Axis {
  const ConvShape& shape;
  size_t offset() const { return 3 - shape.rank; }
  memory::dims Of(const ConvShape::Axes& axes) const {
    return {axes.begin() + static_cast<long>(offset()), axes.end()};
  }
};

memory::desc ChannelsLast(const ConvShape& shape, int64_t batch, int64_t channels, const memory::dims& spatial,
                          DType dtype) {
  memory::dims dims = {batch, channels};
  dims.insert(dims.end(), spatial.begin(), spatial.end());
  const memory::format_tag tags[] = {memory::format_tag::nwc, memory::format_tag::nhwc, memory::format_tag::ndhwc};
  return {dims, onednn::DataType(dtype), tags[shape.rank - 1]};
}

// The weight [outputs, spatial..., channels / group] in oneDNN's order of dimensions; `any` leaves the layout open.
memory::desc WeightDesc(const ConvShape& shape, bool any) {
  const int64_t inputs = shape.channels / shape.group;
  memory::dims dims;
  memory::dims strides;
  if (shape.group > 1) {
    dims = {shape.group, shape.outputs / shape.group, inputs};
    strides = {shape.Depth() * (shape.outputs / shape.group), shape.Depth(), 1};
  } else {
    dims = {shape.outputs, inputs};
    strides = {shape.Depth(), 1};
  }
  int64_t stride = shape.Depth();
  for (size_t axis = 3 - shape.rank; axis < 3; ++axis) {
    stride /= shape.kernel[axis];
    dims.push_back(shape.kernel[axis]);
    strides.push_back(stride);
  }
  const auto type = onednn::DataType(shape.in_dtype);
  return any ? memory::desc(dims, type, memory::format_tag::any) : memory::desc(dims, type, strides);
}

// Shape with all pixels of all images along one axis, if the convolution is pointwise: cuts then balance.
ConvShape Flattened(ConvShape shape) {
  if (!shape.Pointwise()) return shape;
  shape.rank = 2;
  shape.in = shape.out = {1, shape.batch * shape.OutPixels(), 1};
  shape.batch = 1;
  return shape;
}

// Input rows [begin, end) that a cut reads; they may lie outside the image.
struct Reach {
  int64_t begin, end;
};
Reach ReachOf(const ConvShape& shape, const Cut& cut) {
  const size_t outer = 3 - shape.rank;
  const int64_t begin = cut.row * shape.stride[outer] - shape.pad_begin[outer];
  const int64_t kernel = (shape.kernel[outer] - 1) * shape.dilation[outer] + 1;
  return {begin, begin + (cut.rows - 1) * shape.stride[outer] + kernel};
}

bool ReadsPaddingAlone(const ConvShape& shape) {
  for (size_t i = 0; i < 3; ++i) {
    const int64_t reach = (shape.kernel[i] - 1) * shape.dilation[i] + 1;
    if (std::max(shape.pad_begin[i], shape.pad_end[i]) >= reach) return true;
  }
  return false;
}

std::vector<Cut> CutConv(const ConvShape& shape, int threads) {
  const size_t outer = 3 - shape.rank;
  const int64_t rows = shape.out[outer];
  std::vector<Cut> cuts;
  bool by_rows = shape.batch % threads != 0 && rows >= threads;
  for (int64_t i = 0; by_rows && i < shape.batch * threads; ++i) {
    const int64_t part = i % threads;
    const int64_t begin = rows * part / threads;
    cuts.push_back({i / threads, 1, begin, rows * (part + 1) / threads - begin});
    const Reach reach = ReachOf(shape, cuts.back());
    by_rows = reach.begin < shape.in[outer] && reach.end > 0;  // a part of padding alone has no image to start from
  }
  if (by_rows) return cuts;
  cuts.clear();
  const int64_t parts = std::min<int64_t>(shape.batch, threads);
  for (int64_t i = 0; i < parts; ++i) {
    const int64_t begin = shape.batch * i / parts;
    cuts.push_back({begin, shape.batch * (i + 1) / parts - begin, 0, rows});
  }
  return cuts;
}

onednn::Part MakePart(const ConvShape& shape, const Cut& cut, const Operand& weight, PackCache& cache) {
  const size_t outer = 3 - shape.rank;
  ConvShape part = shape;
  part.batch = cut.batch;
  part.out[outer] = cut.rows;
  int64_t first = 0;
  if (cut.rows != shape.out[outer]) {
    const Reach reach = ReachOf(shape, cut);
    first = std::max<int64_t>(reach.begin, 0);
    const int64_t last = std::min(reach.end, shape.in[outer]);
    part.in[outer] = last - first;
    part.pad_begin[outer] = first - reach.begin;
    part.pad_end[outer] = reach.end - last;
  }

  const Axis axis{part};
  const memory::desc x = ChannelsLast(part, part.batch, part.channels, axis.Of(part.in), part.in_dtype);
  const memory::desc y = ChannelsLast(part, part.batch, part.outputs, axis.Of(part.out), part.out_dtype);
  const memory::desc residual =
      part.epilogue.residual ? ChannelsLast(part, part.batch, part.outputs, axis.Of(part.out), part.residual_dtype)
                             : memory::desc();
  const memory::desc bias({part.outputs}, memory::data_type::f32, memory::format_tag::a);
  memory::dims dilation = axis.Of(part.dilation);
  for (auto& d : dilation) d -= 1;  // oneDNN counts the gaps
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const memory::desc w_any = WeightDesc(part, true);
  const Conv::desc desc = part.epilogue.bias ? Conv::desc(kind, algorithm, x, w_any, bias, y, axis.Of(part.stride),
                                                          dilation, axis.Of(part.pad_begin), axis.Of(part.pad_end))
                                             : Conv::desc(kind, algorithm, x, w_any, y, axis.Of(part.stride), dilation,
                                                          axis.Of(part.pad_begin), axis.Of(part.pad_end));
  Conv::primitive_desc pd(desc, onednn::EpilogueAttributes(part.epilogue, residual), onednn::Engine());
  // Two convolutions of oneDNN 2.6 add the residual of the wrong pixels. The one by im2col and gemm is right with an
  // in-place sum, which needs a residual that looks like y. The blocked one, where an output reads nothing but padding,
  // is not: that rare shape takes the next implementation. With an in-place sum there is a blocked one for images of
  // three axes, too, which takes 0.85 of the time.
  bool sum_in_place = false;
  if (part.epilogue.residual) {
    const auto is = [](const Conv::primitive_desc& candidate, std::string_view text) {
      return std::string_view(candidate.impl_info_str()).find(text) != std::string_view::npos;
    };
    const bool padding_alone = ReadsPaddingAlone(shape), alike = part.residual_dtype == part.out_dtype;
    while ((is(pd, "gemm:") && !alike) || (is(pd, "brg") && padding_alone)) {
      if (!pd.next_impl()) break;
    }
    if (alike && !is(pd, "brg")) {
      Conv::primitive_desc summed(desc, onednn::EpilogueAttributes(part.epilogue, std::nullopt), onednn::Engine());
      const bool blocked = is(summed, "brg") && !padding_alone;
      while (is(pd, "gemm:") && !blocked && !is(summed, "gemm:") && summed.next_impl()) {
      }
      if (sum_in_place = blocked || is(pd, "gemm:"); sum_in_place) pd = summed;
    }
  }

  int64_t in_row = shape.channels;  // elements of one row of the outermost axis
  int64_t out_row = shape.outputs;
  for (size_t i = outer + 1; i < 3; ++i) {
    in_row *= shape.in[i];
    out_row *= shape.out[i];
  }
  const auto offset = [&](int64_t rows_of_image, int64_t row, int64_t row_elements, DType dtype) {
    return ByteSize(dtype, static_cast<size_t>((cut.first * rows_of_image + row) * row_elements));
  };
  const auto out_offset = [&](DType dtype) { return offset(shape.out[outer], cut.row, out_row, dtype); };
  onednn::Part result;
  result.primitive = Conv(pd);
  result.weight =
      onednn::PackWeight(cache, weight.constant_hash, fmt::format("conv/group{}/rank{}", shape.group, shape.rank),
                         WeightDesc(part, false), weight.constant->raw(), pd.weights_desc());
  using onednn::Source;
  result.arguments = {
      {DNNL_ARG_SRC, x, Source::kInput, 0, offset(shape.in[outer], first, in_row, shape.in_dtype)},
      {DNNL_ARG_WEIGHTS, pd.weights_desc(), Source::kWeight, 0, 0},
      {DNNL_ARG_DST, y, Source::kOutput, 0, out_offset(shape.out_dtype)},
  };
  if (shape.epilogue.bias) result.arguments.push_back({DNNL_ARG_BIAS, bias, Source::kInput, 2, 0});
  if (shape.epilogue.residual && sum_in_place) {
    result.copy_bytes = y.get_size();
    result.copy_from = 3;
    result.copy_offset = out_offset(shape.out_dtype);
  } else if (shape.epilogue.residual) {
    result.arguments.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, residual, Source::kInput, 3,
                                out_offset(shape.residual_dtype)});
  }
  if (pd.scratchpad_desc().get_size() > 0) {
    result.arguments.push_back({DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc(), Source::kScratch, 0, 0});
  }
  return result;
}

Status Supports(const Problem& problem) {
  const auto shape = ReadConv(problem);
  if (!shape.ok()) return shape.status();
  return onednn::DTypesSupported(problem);
}

double Cost(const Problem& problem) {
  const auto shape = ReadConv(problem);
  const GemmShape gemm = shape->AsGemm();
  double flops = 2.0 * static_cast<double>(gemm.rows * gemm.outputs) * static_cast<double>(gemm.depth);
  // Taps in the padding are passed over. Without dilation they are few, less than these predictions are good for.
  if (shape->Dilated()) flops *= ShareOfTapsInside(*shape);
  const GemmShape pixels = [&] {  // bytes: x is read once, not once for every tap
    GemmShape g = gemm;
    g.depth = shape->channels;
    return g;
  }();
  return PredictSeconds(flops, DenseFlopsPerCycle(shape->in_dtype),
                        GemmBytes(pixels, static_cast<double>(shape->Taps())), problem.threads);
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache& cache) {
  TAMIS_ASSIGN_OR_RETURN(const ConvShape read, ReadConv(problem));
  const ConvShape shape = Flattened(read);
  std::unique_ptr<PreparedKernel> kernel;
  TAMIS_RETURN_IF_ERROR(onednn::Guard("build a ChannelsLastConv primitive", [&] {
    std::vector<onednn::Part> parts;
    for (const Cut& cut : CutConv(shape, problem.threads)) {
      parts.push_back(MakePart(shape, cut, problem.input(1), cache));
    }
    kernel = std::make_unique<onednn::PartsKernel>(std::move(parts));
  }));
  return kernel;
}

}  // namespace

extern const KernelDef kernel_conv_onednn;
const KernelDef kernel_conv_onednn = {
    .name = "conv_onednn",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
