#include "src/kernels/conv/cuda/cuda_conv_pool.h"

namespace tamis::cuda {

ConvPoolParts::ConvPoolParts(const Problem& whole) {
  const Node& node = *whole.node;
  Operand between = whole.outputs[0];
  between.dims = node.Ints("conv_shape");
  conv_node.op = node.op.substr(0, node.op.size() - std::string_view("Pool").size());
  conv_node.domain = pool_node.domain = node.domain;
  conv_node.attributes = node.attributes;
  conv_node.inputs = node.inputs;
  conv_node.outputs = pool_node.inputs = {node.outputs[0]};
  pool_node.op = "ChannelsLastMaxPool";
  pool_node.attributes = {{"kernel_shape", node.Ints("pool_kernel")},
                          {"strides", node.Ints("pool_strides")},
                          {"pads", node.Ints("pool_pads")},
                          {"dilations", Dims{1, 1}}};
  pool_node.outputs = node.outputs;
  conv.node = &conv_node;
  conv.inputs = whole.inputs;
  conv.outputs = {between};
  pool.node = &pool_node;
  pool.inputs = {between};
  pool.outputs = whole.outputs;
  conv.threads = pool.threads = whole.threads;
}

Result<ConvPoolProblem> ReadConvPool(const Problem& whole, const Gemm24Problem& conv) {
  const Node& node = *whole.node;
  const Dims pads = node.Ints("pool_pads"), &y = whole.outputs[0].dims;
  const bool known = node.Ints("pool_kernel") == Dims{3, 3} && node.Ints("pool_strides") == Dims{2, 2} &&
                     pads.size() == 4 && pads[0] == 1 && pads[1] == 1;
  if (!known) return UserError("the pool's windows are not 3 x 3, every other pixel from -1 on");
  ConvPoolProblem problem;
  problem.image = conv.image;
  problem.outputs = static_cast<int>(conv.outputs);
  problem.pool_h = static_cast<int>(y[1]), problem.pool_w = static_cast<int>(y[2]);
  problem.activation = conv.activation;
  problem.int8 = conv.int8;
  problem.types = conv.types;
  if (const char* reason = WhyNoConvPool(problem)) return UserError("{}", reason);
  return problem;
}

}  // namespace tamis::cuda
