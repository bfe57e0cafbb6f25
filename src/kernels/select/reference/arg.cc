// ArgMax and ArgMin along one axis: the first or last of the best elements; the first NaN beats everything.
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

// Items are rows: `size` elements, `step` apart.
struct Args {
  int64_t size = 0, step = 1;
  bool maximum = true, last = false;
};

template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  for (int64_t item = begin; item < end; ++item) {
    const T* x = static_cast<const T*>(inputs[0]) + item / args.step * args.size * args.step + item % args.step;
    int64_t best = 0;
    for (int64_t i = 1; i < args.size; ++i) {
      const T value = x[i * args.step], top = x[best * args.step];
      if (top != top) break;
      const bool better = args.maximum ? value > top : value < top;
      if (better || value != value || (args.last && value == top)) best = i;
    }
    static_cast<int64_t*>(outputs[0])[item] = best;
  }
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand& x = problem.input(0);
  if (x.dtype != DType::kFloat32 && x.dtype != DType::kInt64 && x.dtype != DType::kInt32) {
    return UserError("input 0 is {}; float32, int64 and int32 are supported", Name(x.dtype));
  }
  if (NormalizeAxis(problem.node->Int("axis", 0), x.dims.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(x.dims));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& dims = problem.input(0).dims;
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", 0), dims.size()));
  Args args;
  args.size = dims[axis];
  args.step = Product(dims, axis + 1, dims.size());
  args.maximum = problem.node->op == "ArgMax";
  args.last = problem.node->Int("select_last_index", 0) != 0;
  const int64_t rows = args.size == 0 ? 0 : Product(dims, 0, axis) * args.step;
  const DType dtype = problem.input(0).dtype;
  const auto body = dtype == DType::kFloat32 ? Rows<float> : dtype == DType::kInt64 ? Rows<int64_t> : Rows<int32_t>;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, body, rows, GrainFor(args.size), problem.threads));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, 2.0 * static_cast<double>(Elements(problem.input(0))));
}

}  // namespace

extern const KernelDef kernel_arg = {
    .name = "arg",
    .family = "select",
    .ops = {"ArgMax", "ArgMin"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
