// The flags that say which shapes a network is built for.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "src/compiler/plan/profile.h"

namespace tamis {

// Kept alive by the verb that declared it.
struct ProfileOptions {
  std::vector<std::string> profiles, min_shapes, opt_shapes, max_shapes;
  const CLI::App* app = nullptr;

  // The profiles in the order of their numbers; empty if no flag was given. After parsing.
  Result<std::vector<InputRanges>> Read() const;
};

void DeclareProfileFlags(CLI::App& app, ProfileOptions* options);

}  // namespace tamis
