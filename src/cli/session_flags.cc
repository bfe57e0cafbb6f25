#include "src/cli/session_flags.h"

namespace tamis {

Status SessionFlags::Apply(SessionOptions* options) const {
  options->precision = precision;
  if (retune == "never") {
    options->retune = Retune::kNever;
  } else if (retune == "background") {
    options->retune = Retune::kBackground;
  } else if (retune == "now") {
    options->retune = Retune::kNow;
  } else {
    return UserError("--retune '{}' is unknown; it takes never, background or now", retune);
  }
  if (mode != "latency" && !Throughput())
    return UserError("--mode '{}' is unknown; it takes latency or throughput", mode);
  if (Throughput()) {
    if (options->threads > 1) {
      return UserError("--mode throughput gives every request one core; --threads {} contradicts it", options->threads);
    }
    options->threads = 1;
  }
  return {};
}

void DeclareSessionFlags(CLI::App& app, SessionFlags* flags) {
  app.add_option(
      "--precision", flags->precision,
      "Of an engine that carries several: f32, bf16, or auto for the fastest here; by default the first built");
  app.add_option("--retune", flags->retune,
                 "Where the engine has no plan for this machine: never (the cost model chooses), background or now\n"
                 "(a process of its own times the kernels; the plan is kept for the next start)");
}

void DeclareModeFlag(CLI::App& app, SessionFlags* flags) {
  app.add_option(
      "--mode", flags->mode,
      "latency (a request at a time has all threads) or throughput (as many requests at a time as there are\n"
      "usable cores, one core each; build the engine with --threads 1 too for a plan that is tuned so)");
}

}  // namespace tamis
