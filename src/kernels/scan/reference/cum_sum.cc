// CumSum along one axis. Sums of f32 are kept in double, so that long rows do not drift; integers wrap around.
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

// Items are rows: `size` elements, `step` apart.
struct Args {
  int64_t size = 0, step = 1;
  bool exclusive = false, reverse = false;
};

template <class T, class Sum>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item / args.step * args.size * args.step + item % args.step;
    const T* x = static_cast<const T*>(inputs[0]) + first;
    T* y = static_cast<T*>(outputs[0]) + first;
    Sum sum = 0;
    for (int64_t i = 0; i < args.size; ++i) {
      const int64_t at = (args.reverse ? args.size - 1 - i : i) * args.step;
      const Sum before = sum;
      sum += static_cast<Sum>(x[at]);
      y[at] = static_cast<T>(args.exclusive ? before : sum);
    }
  }
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &x = problem.input(0), &axis = problem.input(1);
  if (x.dtype != DType::kFloat32 && x.dtype != DType::kInt64 && x.dtype != DType::kInt32) {
    return UserError("input 0 is {}; float32, int64 and int32 are supported", Name(x.dtype));
  }
  if (axis.constant == nullptr || Elements(axis) != 1) return UserError("the axis is not a constant");
  if (NormalizeAxis(axis.constant->ToInt64s()[0], x.dims.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(x.dims));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& dims = problem.input(0).dims;
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.input(1).constant->ToInt64s()[0], dims.size()));
  Args args;
  args.size = dims[axis];
  args.step = Product(dims, axis + 1, dims.size());
  args.exclusive = problem.node->Int("exclusive", 0) != 0;
  args.reverse = problem.node->Int("reverse", 0) != 0;
  const int64_t rows = args.size == 0 ? 0 : Product(dims, 0, axis) * args.step;
  const DType dtype = problem.input(0).dtype;
  const auto body = dtype == DType::kFloat32 ? Rows<float, double>
                    : dtype == DType::kInt64 ? Rows<int64_t, uint64_t>
                                             : Rows<int32_t, uint32_t>;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, body, rows, GrainFor(args.size), problem.threads));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, 4.0 * static_cast<double>(Elements(problem.input(0))));
}

}  // namespace

extern const KernelDef kernel_cum_sum = {
    .name = "cum_sum",
    .family = "scan",
    .ops = {"CumSum"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
    .in_place = 0b1,
};

}  // namespace tamis
