#include "src/ops/op_random.h"

#include <algorithm>
#include <array>

namespace tamis {

bool IsRandom(const Node& node) {
  constexpr std::array<std::string_view, 7> kRandom = {
      "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli", "Dropout"};
  return node.domain.empty() && std::find(kRandom.begin(), kRandom.end(), node.op) != kRandom.end();
}

}  // namespace tamis
