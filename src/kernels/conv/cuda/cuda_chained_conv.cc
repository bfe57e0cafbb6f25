#include "src/kernels/conv/cuda/cuda_chained_conv.h"

namespace tamis::cuda {

ChainedParts::ChainedParts(const Problem& whole) {
  const Node& node = *whole.node;
  first_node.op = second_node.op = "ChannelsLastConv";
  first_node.domain = second_node.domain = node.domain;
  constexpr std::string_view kSecond = "second_";
  for (const auto& [key, value] : node.attributes) {
    if (key.compare(0, kSecond.size(), kSecond) == 0) {
      second_node.attributes[key.substr(kSecond.size())] = value;
    } else {
      first_node.attributes[key] = value;
    }
  }
  for (size_t i = 0; i < kSecondWeight; ++i) {
    first_node.inputs.push_back(node.input(i));
    first.inputs.push_back(whole.input(i));
  }
  first_node.outputs = {node.outputs[0]};
  first.outputs = {whole.outputs[0]};
  second_node.inputs = {node.outputs[0], node.input(kSecondWeight), node.input(kSecondBias)};
  second.inputs = {whole.outputs[0], whole.input(kSecondWeight), whole.input(kSecondBias)};
  second_node.outputs = {node.outputs[1]};
  second.outputs = {whole.outputs[1]};
  first.node = &first_node, second.node = &second_node;
  first.threads = second.threads = whole.threads;
}

}  // namespace tamis::cuda
