// NegativeLogLikelihoodLoss: what the right class's log-probability falls short of 0.
#include "src/ops/op_doubles.h"
#include "src/ops/op_loss.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  TAMIS_ASSIGN_OR_RETURN(std::vector<Type> types, LossTypes(operands));
  types.resize(1);
  return types;
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  return ComputeLoss(context, ReadDoubles(*context.input(0)));
}

}  // namespace

extern const OpDef op_negative_log_likelihood_loss = {.name = "NegativeLogLikelihoodLoss",
                                                      .domain = "",
                                                      .since_opset = 12,
                                                      .infer = Infer,
                                                      .eval = Eval,
                                                      .test_cases = LossCases};

}  // namespace tamis
