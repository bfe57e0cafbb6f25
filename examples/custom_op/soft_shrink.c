/* com.example.SoftShrink: y = x - lambda above lambda, x + lambda below -lambda, 0 between. float32, any shape. */
#include <tamis/custom_op.h>

static int Infer(const TamisHost* host, TamisOpContext* context) {
  TamisTensor x = {.struct_size = sizeof(x)};
  if (host->input(context, 0, &x) != 0) {
    host->set_error(context, "needs an input");
    return 1;
  }
  if (x.dtype != 0 && x.dtype != TAMIS_FLOAT32) {
    host->set_error(context, "takes float32 only");
    return 1;
  }
  int64_t dims[8];
  if (x.rank > 8) {
    host->set_error(context, "takes at most 8 dimensions");
    return 1;
  }
  for (int32_t axis = 0; axis < x.rank; ++axis) dims[axis] = TAMIS_DIM_OF(0, axis);
  return host->set_output(context, 0, TAMIS_FLOAT32, x.rank, dims);
}

static int Compute(const TamisHost* host, TamisOpContext* context) {
  TamisTensor x = {.struct_size = sizeof(x)}, y = {.struct_size = sizeof(y)};
  float lambda = 0.5f;
  if (host->input(context, 0, &x) != 0 || host->output(context, 0, &y) != 0) return 1;
  host->attribute_float(context, "lambda", &lambda); /* keeps 0.5 where the node has none */
  const float* in = (const float*)x.data;
  float* out = (float*)y.data;
  const size_t count = y.bytes / sizeof(float);
  for (size_t i = 0; i < count; ++i) {
    out[i] = in[i] > lambda ? in[i] - lambda : in[i] < -lambda ? in[i] + lambda : 0.0f;
  }
  return 0;
}

static const TamisCustomOp kSoftShrink = {
    .struct_size = sizeof(TamisCustomOp),
    .since_opset = 1,
    .name = "SoftShrink",
    .domain = "com.example",
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .infer = Infer,
    .compute = Compute,
};

static const TamisCustomOp* const kOps[] = {&kSoftShrink};

static const TamisCustomOpLibrary kLibrary = {
    .struct_size = sizeof(TamisCustomOpLibrary),
    .abi = TAMIS_CUSTOM_OP_ABI,
    .name = "soft_shrink",
    .version = "1.0",
    .ops = kOps,
    .op_count = sizeof(kOps) / sizeof(kOps[0]),
};

const TamisCustomOpLibrary* tamis_custom_ops(uint32_t abi) { return abi == TAMIS_CUSTOM_OP_ABI ? &kLibrary : 0; }
