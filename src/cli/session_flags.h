// The flags of verbs that run engines.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "tamis/session.h"

namespace tamis {

struct SessionFlags {
  std::string precision, retune = "never", mode = "latency";

  // Adds them to `options`; an unknown word is an error (kUser). In throughput mode a session has one thread.
  Status Apply(SessionOptions* options) const;
  bool Throughput() const { return mode == "throughput"; }
};

void DeclareSessionFlags(CLI::App& app, SessionFlags* flags);
// For the verbs that run several requests at once.
void DeclareModeFlag(CLI::App& app, SessionFlags* flags);

}  // namespace tamis
