// QuantizedLookup: one load a code from a table that stays in the L1 cache.
#include <array>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

struct Args {
  std::array<uint8_t, 256> table;
};

void Lookup(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
            std::byte* /*scratch*/) {
  const auto* x = static_cast<const uint8_t*>(inputs[0]);
  auto* y = static_cast<uint8_t*>(outputs[0]);
  const uint8_t* table = args.table.data();
  for (int64_t i = begin; i < end; ++i) y[i] = table[x[i]];
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.node->Ints("table").size() != 256) return UserError("the table must have 256 codes");
  return {};
}

}  // namespace

extern const KernelDef kernel_quantized_lookup = {
    .name = "quantized_lookup",
    .family = "quantized",
    .ops = {"QuantizedLookup"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost =
        [](const Problem& problem) {
          return PredictSeconds(problem, Isa::kX86_64, static_cast<double>(Elements(problem.input(0))));
        },
    .prepare = [](const Problem& problem, PackCache&) -> Result<std::unique_ptr<PreparedKernel>> {
      Args args;
      const std::vector<int64_t> table = problem.node->Ints("table");
      for (size_t i = 0; i < args.table.size(); ++i) args.table[i] = static_cast<uint8_t>(table[i]);
      return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<Args>>(
          args, Lookup, Elements(problem.input(0)), GrainFor(1, 1 << 14), problem.threads));
    },
    .in_place = 0b1,
};

}  // namespace tamis
