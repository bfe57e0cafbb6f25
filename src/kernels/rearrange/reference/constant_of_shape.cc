// ConstantOfShape where the shape is known only as the graph runs, or the tensor was too large to be kept in the graph.
#include <algorithm>
#include <array>
#include <cstring>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

// Items are elements.
struct Args {
  std::array<std::byte, 16> value{};
  size_t width = 0;   // bytes of an element
  bool even = false;  // all of its bytes are the same
};

void Fill(const Args& args, const void* const* /*inputs*/, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const size_t bytes = static_cast<size_t>(end - begin) * args.width;
  std::byte* y = static_cast<std::byte*>(outputs[0]) + static_cast<size_t>(begin) * args.width;
  if (args.even) {
    std::memset(y, static_cast<int>(args.value[0]), bytes);
    return;
  }
  // What is filled already is the pattern of what follows.
  constexpr size_t kMost = 4096;
  size_t done = std::min(args.width, bytes);
  std::memcpy(y, args.value.data(), done);
  while (done < bytes) {
    const size_t next = std::min({done, bytes - done, kMost / args.width * args.width});
    std::memcpy(y + done, y, next);
    done += next;
  }
}

Result<Args> MakeArgs(const Problem& problem) {
  const DType dtype = problem.outputs[0].dtype;
  Args args;
  args.width = BitSize(dtype) % 8 == 0 ? BitSize(dtype) / 8 : 0;
  if (args.width == 0 || args.width > args.value.size()) return UserError("{} is not filled here", Name(dtype));
  if (const Tensor* value = problem.node->TensorAttribute("value")) {
    if (value->NumElements() != 1 || value->dtype() != dtype) return UserError("the value isn't one {}", Name(dtype));
    std::memcpy(args.value.data(), value->raw(), args.width);
  }
  args.even = std::all_of(args.value.begin(), args.value.begin() + static_cast<std::ptrdiff_t>(args.width),
                          [&](std::byte b) { return b == args.value[0]; });
  return args;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  return MakeArgs(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  TAMIS_ASSIGN_OR_RETURN(const Args args, MakeArgs(problem));
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<Args>>(
      args, Fill, Elements(problem.outputs[0]), static_cast<int64_t>(262144 / args.width), problem.threads));
}

}  // namespace

extern const KernelDef kernel_constant_of_shape = {
    .name = "constant_of_shape",
    .family = "rearrange",
    .ops = {"ConstantOfShape"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
