// ReverseSequence of any type of whole bytes: rows of what lies behind the time and batch axes.
#include <cstring>

#include "src/kernels/index_list.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

// Items are rows: a step of one sequence.
struct Args {
  IndexList lengths;
  bool batch_first = false;
  int64_t batch = 0, time = 0;
  size_t row = 0;  // bytes
};

void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto* x = static_cast<const std::byte*>(inputs[0]);
  auto* y = static_cast<std::byte*>(outputs[0]);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t b = args.batch_first ? item / args.time : item % args.batch;
    const int64_t t = args.batch_first ? item % args.time : item / args.batch;
    const int64_t length = args.lengths.At(inputs[1], b), from = t < length ? length - 1 - t : t;
    const int64_t at = args.batch_first ? b * args.time + from : from * args.batch + b;
    std::memcpy(y + static_cast<size_t>(item) * args.row, x + static_cast<size_t>(at) * args.row, args.row);
  }
}

class ReverseSequence : public RangeKernel<Args> {
 public:
  using RangeKernel::RangeKernel;
  Status Check(std::span<const void* const> inputs) const override {
    for (int64_t b = 0; b < args().batch; ++b) {
      const int64_t length = args().lengths.At(inputs[1], b);
      if (length < 0 || length > args().time) {
        return UserError("ReverseSequence: a sequence length of {} is outside [0, {}]", length, args().time);
      }
    }
    return {};
  }
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtype = problem.input(0).dtype;
  if (BitSize(dtype) < 8 || BitSize(dtype) % 8 != 0) return UserError("{} is not moved here", Name(dtype));
  return CheckIndexList(problem.input(1), "input 1 (sequence_lens)");
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& x = problem.input(0).dims;
  Args args;
  args.lengths = MakeIndexList(problem.input(1));
  args.batch_first = problem.node->Int("batch_axis", 1) == 0;
  args.batch = x[args.batch_first ? 0 : 1];
  args.time = x[args.batch_first ? 1 : 0];
  args.row = ByteSize(problem.input(0).dtype, Product(x, 2, x.size()));
  const int64_t items = args.row == 0 ? 0 : args.batch * args.time;
  return std::unique_ptr<PreparedKernel>(std::make_unique<ReverseSequence>(
      args, Rows, items, GrainFor(static_cast<int64_t>(args.row) / 8 + 8), problem.threads));
}

}  // namespace

extern const KernelDef kernel_reverse_sequence = {
    .name = "reverse_sequence",
    .family = "rearrange",
    .ops = {"ReverseSequence"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
