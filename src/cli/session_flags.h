// The flags of verbs that run engines.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "tamis/session.h"

namespace tamis {

struct SessionFlags {
  std::string precision, retune = "never";

  // Adds them to `options`; an unknown word is an error (kUser).
  Status Apply(SessionOptions* options) const;
};

void DeclareSessionFlags(CLI::App& app, SessionFlags* flags);

}  // namespace tamis
