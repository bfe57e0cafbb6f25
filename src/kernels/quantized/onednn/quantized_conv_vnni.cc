// QuantizedConv, and QuantizedLinear as a convolution of one tap over its rows, through oneDNN: weights packed once,
// zero points, scales, bias, residual, activation and requantisation in one primitive. Each part
// computes some images, or some output rows of one image, whose reach beyond the image becomes the part's own padding.
// Needs VNNI: oneDNN's other 8-bit convolutions saturate at 16 bits.
#include <algorithm>
#include <optional>
#include <string_view>

#include "src/kernels/onednn.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/quantized/quantized.h"
#include "src/ops/op_window.h"

namespace tamis {
namespace {

using dnnl::memory;
using Conv = dnnl::convolution_forward;

struct Read {
  int64_t batch = 1, channels = 0, outputs = 0, group = 1;
  std::vector<SlidingAxis> axes;  // outermost first
};

memory::data_type TypeOf(DType dtype) {
  switch (dtype) {
    case DType::kUInt8:
      return memory::data_type::u8;
    case DType::kInt8:
      return memory::data_type::s8;
    default:
      return memory::data_type::f32;
  }
}

Result<Read> ReadProblem(const Problem& problem) {
  if (problem.input(2).constant == nullptr) return UserError("the scale must be constant");
  if (Elements(problem.input(0)) == 0 || Elements(problem.outputs[0]) == 0) return UserError("an empty dimension");
  if (problem.node->op == "QuantizedLinear") {
    TAMIS_ASSIGN_OR_RETURN(const QuantizedShape shape, ReadQuantizedLinear(problem));
    SlidingAxis rows;
    rows.in = rows.out = shape.rows;
    return Read{1, shape.depth, shape.outputs, 1, {rows}};
  }
  TAMIS_ASSIGN_OR_RETURN(const QuantizedConvShape shape, ReadQuantizedConv(problem));
  Read read;
  read.group = shape.group;
  read.batch = shape.batch;
  read.channels = shape.channels;
  read.outputs = shape.outputs;
  const auto rank = static_cast<std::ptrdiff_t>(problem.input(0).dims.size() - 2);
  read.axes.assign(shape.geometry.axes.end() - rank, shape.geometry.axes.end());
  return read;
}

// Images [first, first + batch) and output rows [row, row + rows) of the outermost axis.
struct Cut {
  int64_t first, batch, row, rows;
};

std::vector<Cut> CutWork(const Read& read, int threads) {
  const SlidingAxis& outer = read.axes[0];
  std::vector<Cut> cuts;
  bool by_rows = read.batch % threads != 0 && outer.out >= threads;
  for (int64_t i = 0; by_rows && i < read.batch * threads; ++i) {
    const int64_t begin = outer.out * (i % threads) / threads, end = outer.out * (i % threads + 1) / threads;
    cuts.push_back({i / threads, 1, begin, end - begin});
    const int64_t low = begin * outer.stride - outer.pad_begin;
    const int64_t high = low + (end - begin - 1) * outer.stride + (outer.kernel - 1) * outer.dilation + 1;
    by_rows = low < outer.in && high > 0;  // a part of padding alone has no image to start from
  }
  if (by_rows) return cuts;
  cuts.clear();
  const int64_t parts = std::min<int64_t>(read.batch, threads);
  for (int64_t i = 0; i < parts; ++i) {
    const int64_t begin = read.batch * i / parts;
    cuts.push_back({begin, read.batch * (i + 1) / parts - begin, 0, outer.out});
  }
  return cuts;
}

memory::desc ChannelsLast(int64_t batch, int64_t channels, const memory::dims& spatial, DType dtype) {
  memory::dims dims = {batch, channels};
  dims.insert(dims.end(), spatial.begin(), spatial.end());
  const memory::format_tag tags[] = {memory::format_tag::nwc, memory::format_tag::nhwc, memory::format_tag::ndhwc};
  return {dims, TypeOf(dtype), tags[spatial.size() - 1]};
}

// The weight [O, kernel..., C / group] in oneDNN's order of dimensions; `any` leaves the layout open.
memory::desc WeightDesc(const Read& read, bool any) {
  int64_t depth = read.channels / read.group;
  for (const SlidingAxis& axis : read.axes) depth *= axis.kernel;
  memory::dims dims = {read.outputs / read.group, read.channels / read.group}, strides = {depth, 1};
  if (read.group > 1) {
    dims.insert(dims.begin(), read.group);
    strides.insert(strides.begin(), depth * (read.outputs / read.group));
  }
  int64_t step = depth;
  for (const SlidingAxis& axis : read.axes) {
    step /= axis.kernel;
    dims.push_back(axis.kernel);
    strides.push_back(step);
  }
  return any ? memory::desc(dims, memory::data_type::s8, memory::format_tag::any)
             : memory::desc(dims, memory::data_type::s8, strides);
}

// The descriptor of one number a channel.
memory::desc PerChannel(const Read& read) {
  memory::dims dims(read.axes.size() + 2, 1);
  dims[1] = read.outputs;
  const memory::format_tag tags[] = {memory::format_tag::abc, memory::format_tag::abcd, memory::format_tag::abcde};
  return {dims, memory::data_type::f32, tags[read.axes.size() - 1]};
}

// What happens to scale * sum: + bias, + residual (which y holds before), the activation, and the way to a code.
dnnl::post_ops Operations(const Problem& problem, const Read& read, const QuantizedResult& result) {
  dnnl::post_ops operations;
  if (problem.input(3).Present()) operations.append_binary(dnnl::algorithm::binary_add, PerChannel(read));
  if (problem.input(4).Present()) {
    operations.append_sum(result.residual_scale, static_cast<int32_t>(result.residual_zero),
                          TypeOf(problem.input(4).dtype));
  }
  const auto linear = [&](float factor, float shift) {
    if (factor != 1 || shift != 0) operations.append_eltwise(1.F, dnnl::algorithm::eltwise_linear, factor, shift);
  };
  Epilogue activation = result.activation;
  if (activation.activation != Activation::kNone) {
    const dnnl::primitive_attr alone = onednn::EpilogueAttributes(activation, std::nullopt);
    const dnnl::post_ops own = alone.get_post_ops();  // borrowed
    float scale = 1, alpha = 0, beta = 0;
    dnnl::algorithm algorithm;
    own.get_params_eltwise(0, scale, algorithm, alpha, beta);
    operations.append_eltwise(scale, algorithm, alpha, beta);
  }
  const bool codes = result.dtype != DType::kFloat32;
  if (codes) linear(1 / result.y_scale, result.y_zero);
  return operations;
}

dnnl::primitive_attr Attributes(const Problem& problem, const Read& read, const QuantizedResult& result) {
  const auto scales = problem.input(2).constant->Span<float>();
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_output_scales(1 << 1, {scales.begin(), scales.end()});
  const auto zero = static_cast<int32_t>(problem.node->Int("x_zero_point", 0));
  if (zero != 0) attributes.set_zero_points(DNNL_ARG_SRC, 0, {zero});
  attributes.set_post_ops(Operations(problem, read, result));
  return attributes;
}

// A part of the work for oneDNN.
struct PartConv {
  int64_t first = 0;  // row of x that it starts from
  memory::desc x, y;
  Conv::primitive_desc pd;
};

// Null where oneDNN has no implementation that is right. Throws what oneDNN throws.
std::optional<PartConv> FindPart(const Problem& problem, const Read& read, const QuantizedResult& result,
                                 const Cut& cut) {
  memory::dims in, out, strides, gaps, pad_begin, pad_end;
  for (const SlidingAxis& axis : read.axes) {
    in.push_back(axis.in);
    out.push_back(axis.out);
    strides.push_back(axis.stride);
    gaps.push_back(axis.dilation - 1);
    pad_begin.push_back(axis.pad_begin);
    pad_end.push_back((axis.out - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1 - axis.in - axis.pad_begin);
  }
  PartConv part;
  const SlidingAxis& outer = read.axes[0];
  if (cut.rows != outer.out) {
    const int64_t low = cut.row * outer.stride - outer.pad_begin;
    const int64_t high = low + (cut.rows - 1) * outer.stride + (outer.kernel - 1) * outer.dilation + 1;
    part.first = std::max<int64_t>(low, 0);
    const int64_t last = std::min(high, outer.in);
    in[0] = last - part.first;
    out[0] = cut.rows;
    pad_begin[0] = part.first - low;
    pad_end[0] = high - last;
  }
  part.x = ChannelsLast(cut.batch, read.channels, in, problem.input(0).dtype);
  part.y = ChannelsLast(cut.batch, read.outputs, out, problem.outputs[0].dtype);
  const Conv::desc desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, part.x,
                        WeightDesc(read, true), part.y, strides, gaps, pad_begin, pad_end);
  part.pd = Conv::primitive_desc(desc, Attributes(problem, read, result), onednn::Engine());
  // Of several groups, its convolutions by gemm add a bias to the wrong outputs and take off zero points wrongly where
  // a group has one output; and of some activations it describes primitives that it can't make.
  // Over images of three axes, those for AMX take off zero points wrongly where only one side of the outermost is
  // padded.
  const bool grouped = read.group > 1, deep = read.axes.size() == 3;
  const auto is = [&](std::string_view text) {
    return std::string_view(part.pd.impl_info_str()).find(text) != std::string_view::npos;
  };
  const auto serves = [&] {
    if ((grouped && is(":gemm")) || (deep && is("amx"))) return false;
    try {
      const Conv made(part.pd);
    } catch (const dnnl::error&) {
      return false;
    }
    return true;
  };
  while ((grouped || deep) && !serves()) {
    if (!part.pd.next_impl()) return std::nullopt;
  }
  return part;
}

onednn::Part MakePart(const Problem& problem, const Read& read, const QuantizedResult& result, const Cut& cut,
                      PackCache& cache) {
  const Operand& weight = problem.input(1);
  const auto conv = FindPart(problem, read, result, cut);
  TAMIS_ASSERT(conv.has_value());  // Supports has asked
  const auto& [first, x, y, pd] = *conv;
  const SlidingAxis& outer = read.axes[0];
  const DType y_dtype = problem.outputs[0].dtype;
  int64_t in_row = read.channels, out_row = read.outputs;
  for (size_t i = 1; i < read.axes.size(); ++i) {
    in_row *= read.axes[i].in;
    out_row *= read.axes[i].out;
  }
  const auto x_at = static_cast<size_t>((cut.first * outer.in + first) * in_row);
  const auto y_at = static_cast<size_t>((cut.first * outer.out + cut.row) * out_row);
  using onednn::Source;
  onednn::Part part;
  part.primitive = Conv(pd);
  part.weight = onednn::PackWeight(cache, weight.constant_hash,
                                   fmt::format("int8conv/group{}/rank{}", read.group, read.axes.size()),
                                   WeightDesc(read, false), weight.constant->raw(), pd.weights_desc());
  part.arguments = {{DNNL_ARG_SRC, x, Source::kInput, 0, x_at},
                    {DNNL_ARG_WEIGHTS, pd.weights_desc(), Source::kWeight, 0, 0},
                    {DNNL_ARG_DST, y, Source::kOutput, 0, ByteSize(y_dtype, y_at)}};
  if (problem.input(3).Present()) {
    part.arguments.push_back(
        {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, PerChannel(read), Source::kInput, 3, 0});
  }
  if (problem.input(4).Present()) {
    part.copy_from = 4;
    part.copy_offset = ByteSize(y_dtype, y_at);
    part.copy_bytes = y.get_size();
  }
  if (result.table != nullptr) {
    const auto bytes = static_cast<int64_t>(y.get_size());
    part.finish = [result, y_at, bytes](void* codes) { result.Exchange(static_cast<uint8_t*>(codes) + y_at, bytes); };
  }
  if (pd.scratchpad_desc().get_size() > 0) {
    part.arguments.push_back({DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc(), Source::kScratch, 0, 0});
  }
  return part;
}

Status Supports(const Problem& problem) {
  // The residual is copied to y, where oneDNN adds to it.
  if (problem.input(4).Present() && BitSize(problem.input(4).dtype) != BitSize(problem.outputs[0].dtype)) {
    return UserError("a residual of {} beside a result of {} is not supported", Name(problem.input(4).dtype),
                     Name(problem.outputs[0].dtype));
  }
  TAMIS_ASSIGN_OR_RETURN(const Read read, ReadProblem(problem));
  if (read.group == 1) return {};
  const QuantizedResult result = ResultOf(*problem.node, problem.input(4).dtype);
  bool found = true;
  TAMIS_RETURN_IF_ERROR(onednn::Guard("describe a QuantizedConv primitive", [&] {
    for (const Cut& cut : CutWork(read, problem.threads)) found = found && FindPart(problem, read, result, cut);
  }));
  return found ? Status()
               : Status(UserError("oneDNN has no 8-bit convolution of {} groups and {} axes that is right", read.group,
                                  read.axes.size()));
}

double Cost(const Problem& problem) {
  const double depth = static_cast<double>(Elements(problem.input(1))) / static_cast<double>(problem.input(1).dims[0]);
  return PredictSeconds(problem, Isa::kAvx512, static_cast<double>(Elements(problem.outputs[0])) * depth / 2);
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache& cache) {
  TAMIS_ASSIGN_OR_RETURN(const Read read, ReadProblem(problem));
  const QuantizedResult result = ResultOf(*problem.node, problem.input(4).dtype);
  std::unique_ptr<PreparedKernel> kernel;
  TAMIS_RETURN_IF_ERROR(onednn::Guard("build a QuantizedConv primitive", [&] {
    std::vector<onednn::Part> parts;
    for (const Cut& cut : CutWork(read, problem.threads)) parts.push_back(MakePart(problem, read, result, cut, cache));
    kernel = std::make_unique<onednn::PartsKernel>(std::move(parts));
  }));
  return kernel;
}

}  // namespace

extern const KernelDef kernel_quantized_conv_vnni;
const KernelDef kernel_quantized_conv_vnni = {
    .name = "quantized_conv_vnni",
    .family = "quantized",
    .ops = {"QuantizedConv", "QuantizedLinear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Vnni,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
    .in_place = 0b10000,
};

}  // namespace tamis
