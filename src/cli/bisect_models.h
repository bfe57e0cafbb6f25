// compare --bisect: which of the bisections fits what the user named.
#pragma once

#include <string>
#include <vector>

#include "src/cli/data_flags.h"
#include "src/compiler/gate/bisect.h"

namespace tamis {

struct BisectFlags {
  std::string a, b;  // b empty, or the same network as a: a against itself, unfused
  DataFlags data;
  std::string precision = "f32";
  std::vector<std::string> without;
  double tolerance = 0;  // 0: 1e-3, or 2e-2 in bfloat16
  int threads = 0;
};

// One network: its passes, then its kernels. Two: their values by name. `tolerance` receives what was used.
Result<std::vector<BisectReport>> BisectModels(const BisectFlags& flags, double* tolerance);

}  // namespace tamis
