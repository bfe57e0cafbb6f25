#include <string>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

// [N, C, H, W] -> [N, C / b^2, H * b, W * b]; mode DCR takes the block from the slow part of the channels, CRD from the
// fast.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const int64_t block = context.node().Int("blocksize", 0);
  if (block <= 0 || block > (1 << 15)) return context.Error(fmt::format("a blocksize of {} is not possible", block));
  const std::string mode = context.node().String("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    return context.Error(fmt::format("mode '{}' is not known; DCR and CRD are", mode));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  if (shape->size() != 4) return context.Error(fmt::format("needs [N, C, H, W], has {}", ToString(*shape)));
  const Shape& x = *shape;
  if (Dim::Mod(x[1], Dim(block * block)).Constant().value_or(0) != 0) {
    return context.Error(fmt::format("{} channels do not divide into blocks of {}", x[1].ToString(), block * block));
  }
  return SetShape(context, 0, context.InputDType(0),
                  {x[0], Dim::FloorDiv(x[1], Dim(block * block)), x[2] * Dim(block), x[3] * Dim(block)});
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  const int64_t b = context.node.Int("blocksize", 0);
  const int64_t c = context.outputs[0].dim(1);
  const int64_t h = data.dim(2);
  const int64_t w = data.dim(3);
  const bool blocks_first = context.node.String("mode", "DCR") == "DCR";
  const int64_t plane = h * w;
  const int64_t channel = blocks_first ? plane : plane * b * b;
  const int64_t block = blocks_first ? plane * c : plane;
  // n, c, h, block row, w, block column
  CopyStrided(data.raw(), 0, {data.dim(0), c, h, b, w, b}, {plane * data.dim(1), channel, w, block * b, 1, block},
              ElementBytes(data), context.outputs[0].raw());
  return {};
}

std::vector<OpTestCase> Cases() {
  const std::string crd = "CRD";
  return {{{SampleFloats(1, {2, 8, 2, 3})}, {{"blocksize", int64_t{2}}}},
          {{SampleFloats(1, {2, 8, 2, 3})}, {{"blocksize", int64_t{2}}, {"mode", crd}}}};
}

}  // namespace

extern const OpDef op_depth_to_space = {.name = "DepthToSpace",
                                        .domain = "",
                                        .since_opset = 1,
                                        .infer = Infer,
                                        .eval = EvalMoved<Eval>,
                                        .test_cases = Cases,
                                        .widen_half = false};

}  // namespace tamis
