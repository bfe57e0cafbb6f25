#include "src/kernels/matmul/matmul.h"

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

constexpr int64_t kBlock = 48;   // rows: a multiple of every tile's
constexpr int64_t kChunk = 128;  // columns: depth x chunk floats stay in L2 up to some thousand of depth

Dims BatchDims(const Operand& operand) {
  return Dims(operand.dims.begin(), operand.dims.end() - 2);
}

Result<BroadcastLoops> BatchLoops(const Problem& problem) {
  const Dims a = BatchDims(problem.input(0)), b = BatchDims(problem.input(1));
  const Dims* operands[] = {&a, &b};
  return MakeBroadcastLoops(BatchDims(problem.outputs[0]), operands);
}

}  // namespace

namespace {

Status CheckShapes(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &a = problem.input(0), &b = problem.input(1), &y = problem.outputs[0];
  if (a.dims.size() < 2 || b.dims.size() < 2) return UserError("operands of rank below 2 are not supported");
  const int64_t rows = a.dims[a.dims.size() - 2], columns = b.dims.back(), depth = a.dims.back();
  const size_t rank = y.dims.size();
  if (b.dims[b.dims.size() - 2] != depth || rank < 2 || y.dims[rank - 2] != rows || y.dims[rank - 1] != columns) {
    return UserError("A {}, B {} and Y {} don't agree", ToString(a.dims), ToString(b.dims), ToString(y.dims));
  }
  return BatchLoops(problem).status();
}

}  // namespace

Status SupportsMatMul(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0 (A)"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(1), "input 1 (B)"));
  TAMIS_RETURN_IF_ERROR(CheckShapes(problem));
  return CheckF32OrBf16(problem.outputs[0], "output 0");
}

Status SupportsTypedMatMul(const Problem& problem) {
  const DType dtype = problem.input(0).dtype;
  if (dtype != DType::kFloat64 && !(IsInteger(dtype) && BitSize(dtype) >= 32)) {
    return UserError("multiplies float64 and integers of 32 and 64 bits, not {}", Name(dtype));
  }
  if (problem.input(1).dtype != dtype) return UserError("the operands' dtypes differ");
  return CheckShapes(problem);
}

Result<std::unique_ptr<PreparedKernel>> PrepareMatMul(const Problem& problem, MatMulBody body) {
  const Dims &a = problem.input(0).dims, &b = problem.input(1).dims;
  MatMulArgs args;
  TAMIS_ASSIGN_OR_RETURN(args.batch, BatchLoops(problem));
  args.rows = a[a.size() - 2];
  args.depth = a.back();
  args.columns = b.back();
  const auto pad = [](int64_t n) { return (n + 15) / 16 * 16; };
  args.block = std::min(kBlock, std::max<int64_t>(args.rows, 1));
  args.blocks = (args.rows + args.block - 1) / args.block;
  args.chunk = std::min(kChunk, pad(std::max<int64_t>(args.columns, 1)));
  args.chunks = (args.columns + args.chunk - 1) / args.chunk;
  for (size_t i = 0; i < 2; ++i) args.bf16[i] = IsBf16(problem.input(i));
  args.bf16_output = IsBf16(problem.outputs[0]);
  args.b_at = 0;
  args.c_at = args.b_at + args.depth * args.chunk * 4;
  args.a_at = args.c_at + args.block * args.chunk * 4;
  const int64_t bytes = args.a_at + (args.bf16[0] ? pad(args.block * args.depth) * 4 : 0);
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<MatMulArgs>>(
      args, body, args.batch.count * args.blocks * args.chunks, GrainFor(args.block * args.chunk * args.depth / 16),
      problem.threads, static_cast<size_t>(bytes)));
}

double MatMulFlops(const Problem& problem) {
  return 2.0 * static_cast<double>(Elements(problem.outputs[0])) * static_cast<double>(problem.input(0).dims.back());
}

void MatricesOf(const MatMulArgs& args, int64_t entry, int64_t (&matrices)[kMaxOperands]) {
  const int last = args.batch.rank - 1;
  RowOffsets(args.batch, entry / args.batch.dims[last], matrices);
  for (size_t i = 0; i < 2; ++i) matrices[i] += entry % args.batch.dims[last] * args.batch.strides[i][last];
}

}  // namespace tamis
