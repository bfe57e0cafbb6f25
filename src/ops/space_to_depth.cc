#include <string>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

// [N, C, H, W] -> [N, C * b^2, H / b, W / b]
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const int64_t block = context.node().Int("blocksize", 0);
  if (block <= 0 || block > (1 << 15)) return context.Error(fmt::format("a blocksize of {} is not possible", block));
  const std::string mode = context.node().String("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return context.Error(fmt::format("mode is '{}', must be DCR or CRD", mode));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  if (shape->size() != 4) return context.Error(fmt::format("needs [N, C, H, W], has {}", ToString(*shape)));
  const Shape& x = *shape;
  for (size_t axis : {2, 3}) {
    if (Dim::Mod(x[axis], Dim(block)).Constant().value_or(0) != 0) {
      return context.Error(fmt::format("dimension {} of {} does not divide by {}", axis, ToString(x), block));
    }
  }
  return SetShape(context, 0, context.InputDType(0),
                  {x[0], x[1] * Dim(block * block), Dim::FloorDiv(x[2], Dim(block)), Dim::FloorDiv(x[3], Dim(block))});
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  const int64_t b = context.node.Int("blocksize", 0);
  const int64_t h = data.dim(2);
  const int64_t w = data.dim(3);
  const int64_t n = data.dim(0);
  const int64_t c = data.dim(1);
  if (context.node.String("mode", "DCR") == "CRD") {  // n, c, block row, block column, h, w
    CopyStrided(data.raw(), 0, {n, c, b, b, h / b, w / b}, {c * h * w, h * w, w, 1, w * b, b}, ElementBytes(data),
                context.outputs[0].raw());
  } else {  // n, block row, block column, c, h, w
    CopyStrided(data.raw(), 0, {n, b, b, c, h / b, w / b}, {c * h * w, w, 1, h * w, w * b, b}, ElementBytes(data),
                context.outputs[0].raw());
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 3, 4, 6})}, {{"blocksize", int64_t{2}}}},
          {{SampleFloats(2, {1, 2, 6, 3})}, {{"blocksize", int64_t{3}}, {"mode", std::string("CRD")}}}};
}

}  // namespace

extern const OpDef op_space_to_depth = {.name = "SpaceToDepth",
                                        .domain = "",
                                        .since_opset = 1,
                                        .infer = Infer,
                                        .eval = EvalMoved<Eval>,
                                        .test_cases = Cases,
                                        .widen_half = false};

}  // namespace tamis
