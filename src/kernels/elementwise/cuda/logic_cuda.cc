// Comparisons, logic, the arithmetic of integers and Where: what exported masks and positions are made of.
#include <utility>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/elementwise/broadcast.h"
#include "src/kernels/elementwise/cuda/cuda_logic_read.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

using Kind = LogicKind;

constexpr std::pair<std::string_view, Kind> kKinds[] = {{"Equal", Kind::kEqual},
                                                        {"Less", Kind::kLess},
                                                        {"LessOrEqual", Kind::kLessOrEqual},
                                                        {"Greater", Kind::kGreater},
                                                        {"GreaterOrEqual", Kind::kGreaterOrEqual},
                                                        {"And", Kind::kAnd},
                                                        {"Or", Kind::kOr},
                                                        {"Xor", Kind::kXor},
                                                        {"Not", Kind::kNot},
                                                        {"Add", Kind::kAdd},
                                                        {"Sub", Kind::kSub},
                                                        {"Mul", Kind::kMul},
                                                        {"Where", Kind::kWhere}};

bool HasArithmetic(DType dtype) {
  return dtype == DType::kInt64 || dtype == DType::kInt32 || dtype == DType::kInt8 || dtype == DType::kUInt8;
}

bool IsKnown(DType dtype) {
  return HasArithmetic(dtype) || dtype == DType::kBool || dtype == DType::kFloat32 || dtype == DType::kFloat16 ||
         dtype == DType::kBFloat16;
}

Status CheckTypes(const Problem& problem, LogicArgs* args) {
  const Operand &a = problem.input(0), &b = problem.input(1);
  if (args->kind == Kind::kWhere) {
    const size_t bits = BitSize(b.dtype);
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64) return UserError("elements of {} bits", bits);
    args->element_bytes = static_cast<int>(bits / 8);
    return {};
  }
  args->dtype = a.dtype;
  const bool one = args->kind == Kind::kNot;
  const bool fits = args->kind >= Kind::kAdd ? HasArithmetic(a.dtype) : IsKnown(a.dtype);
  if (!fits || (!one && b.dtype != a.dtype)) return UserError("operands are {} and {}", Name(a.dtype), Name(b.dtype));
  return {};
}

class Logic : public CudaKernel {
 public:
  explicit Logic(const LogicArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    LogicArgs args = args_;
    args.a = in[0];
    args.b = in.size() > 1 ? in[1] : nullptr;
    args.c = in.size() > 2 ? in[2] : nullptr;
    args.y = out[0];
    return CudaStatus(LaunchLogic(args, stream), "logic_cuda");
  }

 private:
  LogicArgs args_;
};

}  // namespace

Result<LogicArgs> ReadLogic(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  LogicArgs args;
  bool known = false;
  for (const auto& [name, kind] : kKinds) {
    if (problem.node->op == name) args.kind = kind, known = true;
  }
  if (!known) return UserError("{} is not one of its operators", problem.node->op);
  TAMIS_RETURN_IF_ERROR(CheckTypes(problem, &args));
  const size_t operands = args.kind == Kind::kWhere ? 3 : args.kind == Kind::kNot ? 1 : 2;
  TAMIS_ASSIGN_OR_RETURN(const BroadcastLoops loops, MakeBroadcastLoops(problem, operands));
  args.rank = loops.rank;
  args.count = loops.count;
  for (int i = 0; i < loops.rank; ++i) {
    args.dims[i] = loops.dims[i];
    for (size_t operand = 0; operand < operands; ++operand) args.strides[operand][i] = loops.strides[operand][i];
  }
  if (args.count == 0) return UserError("the result is empty");
  return args;
}

Result<int> SupportsLogic(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const LogicArgs args, ReadLogic(problem));
  return args.count > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> PrepareLogic(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const LogicArgs args, ReadLogic(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<Logic>(args));
}

extern const CudaKernelDef cuda_kernel_logic_cuda = {.name = "logic_cuda",
                                                     .family = "elementwise",
                                                     .ops = {"And", "Or", "Xor", "Not", "Where"},
                                                     .supports = SupportsLogic,
                                                     .prepare = PrepareLogic};

}  // namespace tamis::cuda
