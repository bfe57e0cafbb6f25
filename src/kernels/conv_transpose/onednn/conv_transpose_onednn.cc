// ChannelsLastConvTranspose through oneDNN's deconvolution, images split between the threads. The weight keeps ONNX's
// order of elements; oneDNN reads it through strides when it packs it.
#include <algorithm>

#include "src/kernels/onednn.h"
#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

using dnnl::memory;
using Deconv = dnnl::deconvolution_forward;

struct Read {
  int64_t batch = 0, channels = 0, outputs = 0, group = 1;
  memory::dims in, out, kernel, strides, dilations, pad_begin, pad_end;
};

constexpr int64_t kLargest = int64_t{1} << 31;

Result<Read> ReadProblem(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &x = problem.input(0), &weight = problem.input(1), &bias = problem.input(2), &y = problem.outputs[0];
  if (x.dtype != DType::kFloat32 || weight.dtype != DType::kFloat32 || y.dtype != DType::kFloat32) {
    return UserError("computes float32 only");
  }
  TAMIS_RETURN_IF_ERROR(CheckF32IfPresent(bias, "input 2 (bias)"));
  if (weight.constant == nullptr) return UserError("the weight must be constant");
  const size_t rank = x.dims.size();
  if (rank < 3 || rank > 5 || weight.dims.size() != rank || y.dims.size() != rank) {
    return UserError("needs one to three spatial axes");
  }
  if (!problem.node->String("activation", "").empty()) return UserError("an activation is not supported");
  for (const Dims* dims : {&x.dims, &weight.dims, &y.dims}) {
    if (std::any_of(dims->begin(), dims->end(), [](int64_t d) { return d < 1 || d > kLargest; })) {
      return UserError("an empty or oversized dimension");
    }
  }
  const size_t spatial = rank - 2;
  Read read;
  read.group = problem.node->Int("group", 1);
  read.batch = x.dims.front();
  read.channels = x.dims.back();
  read.outputs = y.dims.back();
  const std::vector<int64_t> pads = problem.node->Ints("pads");
  read.strides = problem.node->Ints("strides");
  read.dilations = problem.node->Ints("dilations");
  const bool sized = read.strides.size() == spatial && read.dilations.size() == spatial && pads.size() == 2 * spatial;
  if (!sized) return UserError("strides, dilations or pads have the wrong length");
  if (read.group < 1 || weight.dims[0] != read.channels || read.channels % read.group != 0 ||
      weight.dims[1] * read.group != read.outputs) {
    return UserError("channels {}, outputs {} and group {} do not fit", read.channels, read.outputs, read.group);
  }
  for (size_t i = 0; i < spatial; ++i) {
    read.in.push_back(x.dims[i + 1]);
    read.out.push_back(y.dims[i + 1]);
    read.kernel.push_back(weight.dims[i + 2]);
    read.pad_begin.push_back(pads[i]);
    // What oneDNN calls the end's padding is what makes its sizes agree: the output's padding is part of it.
    const int64_t extent = (read.kernel[i] - 1) * read.dilations[i] + 1;
    read.pad_end.push_back((read.in[i] - 1) * read.strides[i] + extent - read.out[i] - pads[i]);
  }
  return read;
}

memory::desc ChannelsLast(int64_t batch, int64_t channels, const memory::dims& spatial) {
  memory::dims dims = {batch, channels};
  dims.insert(dims.end(), spatial.begin(), spatial.end());
  const memory::format_tag tags[] = {memory::format_tag::nwc, memory::format_tag::nhwc, memory::format_tag::ndhwc};
  return {dims, memory::data_type::f32, tags[spatial.size() - 1]};
}

// The weight [C, O / group, kernel...] in oneDNN's order of dimensions; `any` leaves the layout open.
memory::desc WeightDesc(const Read& read, bool any) {
  const int64_t filters = read.outputs / read.group, channels = read.channels / read.group;
  int64_t taps = 1;
  for (const int64_t k : read.kernel) taps *= k;
  memory::dims dims = {filters, channels}, strides = {taps, filters * taps};
  if (read.group > 1) {
    dims.insert(dims.begin(), read.group);
    strides.insert(strides.begin(), channels * filters * taps);
  }
  for (const int64_t k : read.kernel) {
    taps /= k;
    dims.push_back(k);
    strides.push_back(taps);
  }
  return any ? memory::desc(dims, memory::data_type::f32, memory::format_tag::any)
             : memory::desc(dims, memory::data_type::f32, strides);
}

onednn::Part MakePart(const Read& read, int64_t first, int64_t count, const Problem& problem, PackCache& cache) {
  const memory::desc x = ChannelsLast(count, read.channels, read.in), y = ChannelsLast(count, read.outputs, read.out);
  const memory::desc bias({read.outputs}, memory::data_type::f32, memory::format_tag::a);
  const bool has_bias = problem.input(2).Present();
  memory::dims gaps = read.dilations;  // oneDNN counts the gaps
  for (auto& d : gaps) d -= 1;
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::deconvolution_direct;
  const memory::desc w = WeightDesc(read, true);
  const auto desc = has_bias
                        ? Deconv::desc(kind, algorithm, x, w, bias, y, read.strides, gaps, read.pad_begin, read.pad_end)
                        : Deconv::desc(kind, algorithm, x, w, y, read.strides, gaps, read.pad_begin, read.pad_end);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const Deconv::primitive_desc pd(desc, attributes, onednn::Engine());
  const Operand& weight = problem.input(1);
  const auto offset = [&](const Dims& dims) {
    return static_cast<size_t>(first) * static_cast<size_t>(NumElements(dims) / dims[0]) * sizeof(float);
  };
  using onednn::Source;
  onednn::Part part;
  part.primitive = Deconv(pd);
  part.weight = onednn::PackWeight(cache, weight.constant_hash, fmt::format("deconv/group{}", read.group),
                                   WeightDesc(read, false), weight.constant->raw(), pd.weights_desc());
  part.arguments = {{DNNL_ARG_SRC, x, Source::kInput, 0, offset(problem.input(0).dims)},
                    {DNNL_ARG_WEIGHTS, pd.weights_desc(), Source::kWeight, 0, 0},
                    {DNNL_ARG_DST, y, Source::kOutput, 0, offset(problem.outputs[0].dims)}};
  if (has_bias) part.arguments.push_back({DNNL_ARG_BIAS, bias, Source::kInput, 2, 0});
  if (pd.scratchpad_desc().get_size() > 0) {
    part.arguments.push_back({DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc(), Source::kScratch, 0, 0});
  }
  return part;
}

Status Supports(const Problem& problem) {
  return ReadProblem(problem).status();
}

double Cost(const Problem& problem) {
  const double taps = static_cast<double>(Elements(problem.input(1))) / static_cast<double>(problem.input(1).dims[0]);
  return PredictSeconds(problem, Cpu().isa, 2.0 * static_cast<double>(Elements(problem.input(0))) * taps);
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache& cache) {
  TAMIS_ASSIGN_OR_RETURN(const Read read, ReadProblem(problem));
  std::unique_ptr<PreparedKernel> kernel;
  TAMIS_RETURN_IF_ERROR(onednn::Guard("build a ChannelsLastConvTranspose primitive", [&] {
    const int64_t count = std::min<int64_t>(read.batch, problem.threads);
    std::vector<onednn::Part> parts;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t begin = read.batch * i / count;
      parts.push_back(MakePart(read, begin, read.batch * (i + 1) / count - begin, problem, cache));
    }
    kernel = std::make_unique<onednn::PartsKernel>(std::move(parts));
  }));
  return kernel;
}

}  // namespace

extern const KernelDef kernel_conv_transpose_onednn;
const KernelDef kernel_conv_transpose_onednn = {
    .name = "conv_transpose_onednn",
    .family = "conv_transpose",
    .ops = {"ChannelsLastConvTranspose"},
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
