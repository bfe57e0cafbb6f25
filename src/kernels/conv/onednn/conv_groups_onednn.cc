// Pointwise ChannelsLastConv in groups as a matrix product for each group, over rows that lie all channels apart:
// oneDNN's own convolution has no fast way for groups of many channels.
#include <algorithm>

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/gemm/linear_onednn_parts.h"
#include "src/kernels/onednn.h"

namespace tamis {
namespace {

using dnnl::memory;

constexpr int64_t kLeastChannels = 8;  // of a group; with fewer there is no matrix to speak of

Result<ConvShape> ReadGroups(const Problem& problem) {
  auto shape = ReadConv(problem);
  if (!shape.ok()) return shape.status();
  TAMIS_RETURN_IF_ERROR(onednn::DTypesSupported(problem));
  if (shape->group == 1) return UserError("there is one group only");
  if (!shape->Pointwise()) return UserError("the kernel is not pointwise");
  if (std::min(shape->channels, shape->outputs) / shape->group < kLeastChannels) {
    return UserError("groups of fewer than {} channels are not supported", kLeastChannels);
  }
  return shape;
}

// Rows [row, row + rows) of one group.
onednn::Part MakePart(const ConvShape& shape, int64_t group, int64_t row, int64_t rows, const Operand& weight,
                      PackCache& cache) {
  const int64_t depth = shape.channels / shape.group, outputs = shape.outputs / shape.group;
  const auto matrix = [&](int64_t columns, int64_t pitch, DType dtype) {
    return memory::desc({rows, columns}, onednn::DataType(dtype), memory::dims{pitch, 1});
  };
  const memory::desc x = matrix(depth, shape.channels, shape.in_dtype),
                     y = matrix(outputs, shape.outputs, shape.out_dtype);
  const Epilogue& epilogue = shape.epilogue;
  const memory::desc residual =
      epilogue.residual ? matrix(outputs, shape.outputs, shape.residual_dtype) : memory::desc();
  const memory::dims sizes = {depth, outputs};
  const memory::desc plain(sizes, onednn::DataType(shape.in_dtype), memory::dims{1, depth}),
      any(sizes, onednn::DataType(shape.in_dtype), memory::format_tag::any),
      bias({1, outputs}, memory::data_type::f32, memory::format_tag::ab);
  const auto desc = epilogue.bias ? dnnl::matmul::desc(x, any, bias, y) : dnnl::matmul::desc(x, any, y);
  const dnnl::matmul::primitive_desc pd(desc, onednn::EpilogueAttributes(epilogue, residual), onednn::Engine());

  const auto at = [&](int64_t pitch, int64_t columns, DType dtype) {
    return ByteSize(dtype, static_cast<size_t>(row * pitch + group * columns));
  };
  using onednn::Source;
  onednn::Part part;
  part.primitive = dnnl::matmul(pd);
  part.weight = onednn::PackWeight(
      cache, weight.constant_hash, fmt::format("group {}/{}", group, shape.group), plain,
      weight.constant->raw() + ByteSize(shape.in_dtype, static_cast<size_t>(group * outputs * depth)),
      pd.weights_desc());
  part.arguments = {
      {DNNL_ARG_SRC, x, Source::kInput, 0, at(shape.channels, depth, shape.in_dtype)},
      {DNNL_ARG_WEIGHTS, pd.weights_desc(), Source::kWeight, 0, 0},
      {DNNL_ARG_DST, y, Source::kOutput, 0, at(shape.outputs, outputs, shape.out_dtype)},
  };
  if (epilogue.bias) {
    part.arguments.push_back(
        {DNNL_ARG_BIAS, bias, Source::kInput, 2, static_cast<size_t>(group * outputs) * sizeof(float)});
  }
  if (epilogue.residual) {
    part.arguments.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, residual, Source::kInput, 3,
                              at(shape.outputs, outputs, shape.residual_dtype)});
  }
  if (pd.scratchpad_desc().get_size() > 0) {
    part.arguments.push_back({DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc(), Source::kScratch, 0, 0});
  }
  return part;
}

double Cost(const Problem& problem) {
  const auto shape = ReadConv(problem);
  const GemmShape gemm = shape->AsGemm();
  // Vectors and tiles of narrow groups are filled in part.
  const double filled = std::min(1.0, static_cast<double>(shape->outputs / shape->group) / 64);
  const double flops = 2.0 * static_cast<double>(gemm.rows * gemm.outputs) * static_cast<double>(gemm.depth) / filled;
  GemmShape read = gemm;
  read.depth = shape->channels;
  return PredictSeconds(flops, DenseFlopsPerCycle(shape->in_dtype), GemmBytes(read, 1), problem.threads);
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache& cache) {
  TAMIS_ASSIGN_OR_RETURN(const ConvShape shape, ReadGroups(problem));
  const int64_t rows = shape.batch * shape.OutPixels();
  const int64_t cuts = shape.group % problem.threads == 0 ? 1 : std::min<int64_t>(problem.threads, rows);
  std::unique_ptr<PreparedKernel> kernel;
  TAMIS_RETURN_IF_ERROR(onednn::Guard("build a ChannelsLastConv of groups", [&] {
    std::vector<onednn::Part> parts;
    for (int64_t cut = 0; cut < cuts; ++cut) {
      const int64_t first = rows * cut / cuts, behind = rows * (cut + 1) / cuts;
      for (int64_t group = 0; group < shape.group; ++group) {
        parts.push_back(MakePart(shape, group, first, behind - first, problem.input(1), cache));
      }
    }
    kernel = std::make_unique<onednn::PartsKernel>(std::move(parts));
  }));
  return kernel;
}

}  // namespace

extern const KernelDef kernel_conv_groups_onednn = {
    .name = "conv_groups_onednn",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .supports = [](const Problem& problem) { return ReadGroups(problem).status(); },
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
