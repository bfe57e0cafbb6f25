#include "src/kernels/gemm/linear_onednn_parts.h"

#include <algorithm>

#include "src/kernels/onednn.h"

namespace tamis::onednn {
namespace {

using dnnl::memory;
using dnnl::prop_kind;

struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
};

// `parts` ranges that cover [0, count), cut at multiples of `unit`; fewer where there is too little.
std::vector<Range> Cut(int64_t count, int64_t parts, int64_t unit) {
  const int64_t units = (count + unit - 1) / unit;
  parts = std::clamp<int64_t>(parts, 1, units);
  std::vector<Range> ranges;
  for (int64_t i = 0; i < parts; ++i) {
    ranges.push_back({units * i / parts * unit, std::min(count, units * (i + 1) / parts * unit)});
  }
  return ranges;
}

memory::desc Matrix(int64_t rows, int64_t columns, int64_t pitch, DType dtype) {
  return {{rows, columns}, DataType(dtype), memory::dims{pitch, 1}};
}

struct Built {
  dnnl::primitive primitive;
  memory::desc weight;
  memory::desc scratchpad;
};

Built BuildInnerProduct(const memory::desc& x, const memory::desc& w_any, const memory::desc& bias,
                        const memory::desc& y, const dnnl::primitive_attr& attributes) {
  using Ip = dnnl::inner_product_forward;
  const auto desc = bias.data.ndims != 0 ? Ip::desc(prop_kind::forward_inference, x, w_any, bias, y)
                                         : Ip::desc(prop_kind::forward_inference, x, w_any, y);
  const Ip::primitive_desc pd(desc, attributes, Engine());
  return {Ip(pd), pd.weights_desc(), pd.scratchpad_desc()};
}

Built BuildMatmul(const memory::desc& x, const memory::desc& w_any, const memory::desc& bias, const memory::desc& y,
                  const dnnl::primitive_attr& attributes) {
  using Mm = dnnl::matmul;
  const auto desc = bias.data.ndims != 0 ? Mm::desc(x, w_any, bias, y) : Mm::desc(x, w_any, y);
  const Mm::primitive_desc pd(desc, attributes, Engine());
  return {Mm(pd), pd.weights_desc(), pd.scratchpad_desc()};
}

Part MakePart(const GemmShape& shape, const Problem& problem, PackCache& cache, LinearPrimitive primitive, Range rows,
              Range outputs) {
  const bool inner_product = primitive == LinearPrimitive::kInnerProduct;
  const memory::desc x = Matrix(rows.size(), shape.depth, shape.depth, shape.in);
  const memory::desc y = Matrix(rows.size(), outputs.size(), shape.outputs, shape.out);
  const memory::desc residual =
      shape.epilogue.residual ? Matrix(rows.size(), outputs.size(), shape.outputs, shape.residual) : memory::desc();
  const auto type = DataType(shape.in);
  // matmul knows the weight as [K, N] and the bias as [1, N].
  const memory::dims w_dims =
      inner_product ? memory::dims{outputs.size(), shape.depth} : memory::dims{shape.depth, outputs.size()};
  const memory::dims w_strides = inner_product ? memory::dims{shape.depth, 1} : memory::dims{1, shape.depth};
  const memory::dims bias_dims = inner_product ? memory::dims{outputs.size()} : memory::dims{1, outputs.size()};
  const memory::desc bias = shape.epilogue.bias
                                ? memory::desc(bias_dims, memory::data_type::f32,
                                               inner_product ? memory::format_tag::a : memory::format_tag::ab)
                                : memory::desc();
  const memory::desc w_any(w_dims, type, memory::format_tag::any);
  const auto attributes = EpilogueAttributes(shape.epilogue, residual);
  const Built built =
      inner_product ? BuildInnerProduct(x, w_any, bias, y, attributes) : BuildMatmul(x, w_any, bias, y, attributes);

  const auto in_bytes = static_cast<size_t>(BitSize(shape.in) / 8);
  const auto at = [&](DType dtype) {
    return static_cast<size_t>(rows.begin * shape.outputs + outputs.begin) * static_cast<size_t>(BitSize(dtype) / 8);
  };
  const Operand& weight = problem.input(1);
  Part part;
  part.primitive = built.primitive;
  part.weight = PackWeight(
      cache, weight.constant_hash, fmt::format("{}/{}:{}", inner_product ? "ip" : "matmul", outputs.begin, outputs.end),
      memory::desc(w_dims, type, w_strides),
      weight.constant->raw() + static_cast<size_t>(outputs.begin * shape.depth) * in_bytes, built.weight);
  part.arguments = {
      {DNNL_ARG_SRC, x, Source::kInput, 0, static_cast<size_t>(rows.begin * shape.depth) * in_bytes},
      {DNNL_ARG_WEIGHTS, built.weight, Source::kWeight, 0, 0},
      {DNNL_ARG_DST, y, Source::kOutput, 0, at(shape.out)},
  };
  if (shape.epilogue.bias) {
    part.arguments.push_back(
        {DNNL_ARG_BIAS, bias, Source::kInput, 2, static_cast<size_t>(outputs.begin) * sizeof(float)});
  }
  if (shape.epilogue.residual) {
    part.arguments.push_back(
        {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, residual, Source::kInput, 3, at(shape.residual)});
  }
  if (built.scratchpad.get_size() > 0) {
    part.arguments.push_back({DNNL_ARG_SCRATCHPAD, built.scratchpad, Source::kScratch, 0, 0});
  }
  return part;
}

}  // namespace

Status DTypesSupported(const Problem& problem) {
  const DType in = problem.input(0).dtype;
  const DType out = problem.outputs[0].dtype;
  if (in == DType::kBFloat16 && !Cpu().avx512_bf16) return UserError("bfloat16 needs AVX512_BF16");
  if (in == DType::kFloat32 && out == DType::kBFloat16) return UserError("oneDNN writes no bfloat16 from float32");
  return {};
}

Status LinearSupported(const Problem& problem) {
  const auto shape = ReadLinear(problem);
  return shape.ok() ? DTypesSupported(problem) : shape.status();
}

double LinearCost(const Problem& problem) {
  const auto shape = ReadLinear(problem);
  const double flops = 2.0 * static_cast<double>(shape->rows * shape->outputs) * static_cast<double>(shape->depth);
  return PredictSeconds(flops, DenseFlopsPerCycle(shape->in), GemmBytes(*shape, 1), problem.threads);
}

Result<std::unique_ptr<PreparedKernel>> PrepareLinear(const Problem& problem, PackCache& cache,
                                                      LinearPrimitive primitive) {
  TAMIS_ASSIGN_OR_RETURN(const GemmShape shape, ReadLinear(problem));
  // Rows are cut where each thread gets enough of them to reuse a loaded weight; otherwise outputs. One packed weight
  // then serves all parts. Inner products never cut outputs: for a y with gaps the library has its reference only,
  // which a plan made for many rows would meet where a request has few.
  constexpr int64_t kRowsWorthCutting = 24;
  const bool cut_rows = primitive == LinearPrimitive::kInnerProduct ||
                        shape.rows >= kRowsWorthCutting * problem.threads ||
                        shape.outputs < int64_t{32} * problem.threads;
  const auto rows = Cut(shape.rows, cut_rows ? problem.threads : 1, 8);
  const auto outputs = Cut(shape.outputs, cut_rows ? 1 : problem.threads, 64);
  std::vector<Part> parts;
  TAMIS_RETURN_IF_ERROR(Guard("build a Linear primitive", [&] {
    for (const Range& r : rows) {
      for (const Range& o : outputs) parts.push_back(MakePart(shape, problem, cache, primitive, r, o));
    }
  }));
  std::unique_ptr<PreparedKernel> kernel;
  TAMIS_RETURN_IF_ERROR(
      Guard("bind a Linear primitive", [&] { kernel = std::make_unique<PartsKernel>(std::move(parts)); }));
  return kernel;
}

}  // namespace tamis::onednn
