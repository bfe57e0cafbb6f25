#include "src/kernels/quantized/lookup_kernel.h"

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

struct Args {
  std::shared_ptr<const CodeTable> table;
  LookupFunction lookup;
};

void Lookup(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
            std::byte* /*scratch*/) {
  args.lookup(*args.table, static_cast<const uint8_t*>(inputs[0]) + begin, end - begin,
              static_cast<uint8_t*>(outputs[0]) + begin);
}

}  // namespace

Status SupportsLookup(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.node->Ints("table").size() != 256) return UserError("the table must have 256 codes");
  return {};
}

double LookupCost(const Problem& problem, double cycles_per_code) {
  return PredictSeconds(problem, Isa::kX86_64, static_cast<double>(Elements(problem.input(0))) * cycles_per_code);
}

Result<std::unique_ptr<PreparedKernel>> PrepareLookup(const Problem& problem, LookupFunction lookup) {
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<Args>>(
      Args{TableOf(*problem.node), lookup}, Lookup, Elements(problem.input(0)), GrainFor(1, 1 << 15), problem.threads));
}

}  // namespace tamis
