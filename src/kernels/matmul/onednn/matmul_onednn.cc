// MatMul of two activations by oneDNN, batch entries split between the threads, or rows where there is one entry only.
#include <algorithm>

#include "src/kernels/matmul/matmul.h"
#include "src/kernels/onednn.h"
#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

using dnnl::memory;

// One B for a whole batch of A is a batch of one with more rows.
struct BatchedProduct {
  int64_t batch = 1, rows = 0, depth = 0, columns = 0;
};

int64_t Batch(const Operand& operand) {
  return Product(operand.dims, 0, operand.dims.size() - 2);
}

Result<BatchedProduct> ReadProduct(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(SupportsMatMul(problem));
  const Operand &a = problem.input(0), &b = problem.input(1), &y = problem.outputs[0];
  if (a.dtype != b.dtype) return UserError("operands of two types are not supported");
  if (a.dtype == DType::kBFloat16 && !Cpu().avx512_bf16) return UserError("bfloat16 needs AVX512_BF16");
  if (a.dtype == DType::kFloat32 && y.dtype == DType::kBFloat16) {
    return UserError("oneDNN writes no bfloat16 from float32");
  }
  BatchedProduct product;
  product.batch = Batch(y);
  product.rows = a.dims[a.dims.size() - 2];
  product.depth = a.dims.back();
  product.columns = b.dims.back();
  if (product.batch * product.rows * product.depth * product.columns == 0) return UserError("an operand is empty");
  if (Batch(a) != product.batch || (Batch(b) != product.batch && Batch(b) != 1)) {
    return UserError("the batch of {} is repeated for {}", ToString(a.dims), ToString(b.dims));
  }
  if (Batch(b) == 1) {
    product.rows *= product.batch;
    product.batch = 1;
  }
  return product;
}

onednn::Part MakePart(const Problem& problem, const BatchedProduct& product, int64_t first_entry, int64_t entries,
                      int64_t first_row, int64_t rows) {
  const auto desc = [&](DType dtype, int64_t p, int64_t q) {
    return memory::desc({entries, p, q}, onednn::DataType(dtype), memory::format_tag::abc);
  };
  const memory::desc a = desc(problem.input(0).dtype, rows, product.depth),
                     b = desc(problem.input(1).dtype, product.depth, product.columns),
                     y = desc(problem.outputs[0].dtype, rows, product.columns);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::matmul::primitive_desc pd(dnnl::matmul::desc(a, b, y), attributes, onednn::Engine());
  const auto bytes = [](int64_t elements, DType dtype) {
    return static_cast<size_t>(elements) * static_cast<size_t>(BitSize(dtype) / 8);
  };
  const int64_t row = first_entry * product.rows + first_row;
  using onednn::Source;
  onednn::Part part;
  part.primitive = dnnl::matmul(pd);
  part.arguments = {
      {DNNL_ARG_SRC, a, Source::kInput, 0, bytes(row * product.depth, problem.input(0).dtype)},
      {DNNL_ARG_WEIGHTS, b, Source::kInput, 1,
       bytes(first_entry * product.depth * product.columns, problem.input(1).dtype)},
      {DNNL_ARG_DST, y, Source::kOutput, 0, bytes(row * product.columns, problem.outputs[0].dtype)},
  };
  if (pd.scratchpad_desc().get_size() > 0) {
    part.arguments.push_back({DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc(), Source::kScratch, 0, 0});
  }
  return part;
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  TAMIS_ASSIGN_OR_RETURN(const BatchedProduct product, ReadProduct(problem));
  constexpr int64_t kWorthAThread = 1 << 19;  // multiplications
  const int64_t work = product.batch * product.rows * product.depth * product.columns;
  const bool by_entries = product.batch > 1;
  const int64_t count = by_entries ? product.batch : product.rows;
  const int64_t parts = std::clamp<int64_t>(std::min(work / kWorthAThread, count), 1, problem.threads);
  std::vector<onednn::Part> made;
  TAMIS_RETURN_IF_ERROR(onednn::Guard("build a MatMul primitive", [&] {
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t first = count * part / parts, behind = count * (part + 1) / parts;
      made.push_back(by_entries ? MakePart(problem, product, first, behind - first, 0, product.rows)
                                : MakePart(problem, product, 0, 1, first, behind - first));
    }
  }));
  return std::unique_ptr<PreparedKernel>(std::make_unique<onednn::PartsKernel>(std::move(made)));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kAvx512, MatMulFlops(problem));
}

}  // namespace

extern const KernelDef kernel_matmul_onednn = {
    .name = "matmul_onednn",
    .family = "matmul",
    .ops = {"MatMul"},
    .supports = [](const Problem& problem) { return ReadProduct(problem).status(); },
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
