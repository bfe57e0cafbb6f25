#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "src/base/atomic_file.h"
#include "src/base/cpu.h"
#include "src/base/nearest.h"
#include "src/base/thread_count.h"
#include "src/base/version.h"
#include "src/cli/parse_problem.h"
#include "src/cli/verb.h"
#include "src/kernels/kernel.h"
#include "src/kernels/kernel_switches.h"

namespace tamis {

extern const Verb verb_inspect, verb_prune, verb_build, verb_run, verb_bench, verb_compare, verb_optimize, verb_serve,
    verb_cache, verb_quantize, verb_gate;

namespace {

const std::array<const Verb*, 11> kVerbs = {&verb_inspect, &verb_prune, &verb_quantize, &verb_build,
                                            &verb_run,     &verb_bench, &verb_compare,  &verb_optimize,
                                            &verb_gate,    &verb_serve, &verb_cache};

// 1: the user's to mend, 2: the machine's, 3: ours. `verb` may say otherwise.
int ExitCode(ErrorKind kind, const Verb* verb = nullptr) {
  switch (kind) {
    case ErrorKind::kUser:
      return verb == nullptr ? 1 : verb->user_error_code;
    case ErrorKind::kRuntime:
      return 2;
    case ErrorKind::kInternal:
      break;
  }
  return 3;
}

int Fail(const Verb* verb, const Status& status) {
  const char* prefix = status.kind() == ErrorKind::kInternal ? "internal error (a bug in Tamis): " : "error: ";
  fmt::print(stderr, "tamis{}{}: {}{}\n", verb == nullptr ? "" : " ", verb == nullptr ? "" : verb->name, prefix,
             status.message());
  return ExitCode(status.kind(), verb);
}

// The parser would only say that a subcommand is missing.
Status CheckVerb(int argc, char** argv) {
  std::vector<std::string> names;
  for (const Verb* verb : kVerbs) names.emplace_back(verb->name);
  const std::string all = fmt::format("{}", fmt::join(names, ", "));
  if (argc < 2) return UserError("a verb is missing: {}. Each explains itself with --help", all);
  const std::string first = argv[1];
  if (first.starts_with('-') || std::find(names.begin(), names.end(), first) != names.end()) return {};
  const auto meant = Nearest(first, names);
  return UserError("'{}' is no verb{}; there are {}. Each explains itself with --help", first,
                   meant ? ", did you mean " + *meant + "?" : "", all);
}

// Nothing is said of the program itself: only --help and --version stand before the verb.
Status ParseProblemOf(const CLI::App& app, const Verb* verb, const CLI::ParseError& error) {
  if (verb == nullptr) return UserError("{} ('tamis --help' lists the verbs)", error.what());
  return ParseProblem(*app.get_subcommand(std::string(verb->name)), error);
}

// Ctrl-C leaves no half file: temporary files are unlinked, then the signal does what it always does.
void OnInterrupt(int signal_number) {
  RemoveTemporaryFiles();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Tamis prunes a trained ONNX network to 2:4, compiles it into one engine file for this machine,\n"
      "measures it and serves it.");
  app.name("tamis");
  app.set_version_flag("--version", fmt::format("tamis {}", kVersion));
  app.require_subcommand(1);
  auto common = std::make_shared<CommonFlags>();
  std::array<std::function<Status()>, kVerbs.size()> runs;
  for (size_t i = 0; i < kVerbs.size(); ++i) {
    const Verb& verb = *kVerbs[i];
    CLI::App* sub = app.add_subcommand(std::string(verb.name), std::string(verb.summary));
    sub->option_defaults()->always_capture_default();  // --help shows them
    runs[i] = verb.declare(*sub, common);
    if (sub->get_option_no_throw("--json") == nullptr) {
      sub->add_flag("--json", common->json, "Print one JSON object instead of text");
    }
    sub->add_option("--custom-ops", common->custom_ops,
                    "Folder of shared libraries with operators of your own; also TAMIS_CUSTOM_OPS");
    sub->add_flag("-v,--verbose", common->verbose, "Say on standard error what is done and why");
    sub->footer(fmt::format("Example:\n  {}", verb.example));
    for (CLI::Option* option : sub->get_options()) {  // what stands for none is no default to show
      if (option->get_default_str() == "[]" || option->get_default_str() == "nan") option->default_str("");
    }
  }
  if (const Status status = CheckVerb(argc, argv); !status.ok()) {
    fmt::print(stderr, "tamis: error: {}\n", status.message());
    return ExitCode(status.kind());
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const auto used =
        std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Verb* verb) { return verb->name == argv[1]; });
    const Verb* verb = used == kVerbs.end() ? nullptr : *used;
    return Fail(verb, ParseProblemOf(app, verb, error));
  }
  if (const Status status = CheckIsaVariable(); !status.ok()) return Fail(nullptr, status);
  if (const Status status = CheckKernelSwitches(); !status.ok()) return Fail(nullptr, status);
  ConfigureLibraries();
  // By the environment, so that processes started from here know it too.
  if (!common->custom_ops.empty()) setenv("TAMIS_CUSTOM_OPS", common->custom_ops.c_str(), 1);
  signal(SIGINT, OnInterrupt);
  signal(SIGTERM, OnInterrupt);
  signal(SIGXFSZ, SIG_IGN);  // too large a file is an error of the write then, which leaves nothing behind
  for (size_t i = 0; i < kVerbs.size(); ++i) {
    if (!app.got_subcommand(std::string(kVerbs[i]->name))) continue;
    const CLI::Option* threads = app.get_subcommand(std::string(kVerbs[i]->name))->get_option_no_throw("--threads");
    Status status = CheckValues(*app.get_subcommand(std::string(kVerbs[i]->name)));
    if (status.ok() && threads != nullptr && !threads->empty()) status = CheckThreads(threads->as<int>());
    try {
      if (status.ok()) status = runs[i]();
    } catch (const std::bad_alloc&) {
      status = RuntimeError("not enough memory");
    } catch (const std::system_error& error) {  // printing into a closed pipe, no more threads
      status = RuntimeError("{}", error.what());
    }
    if (!status.ok()) return Fail(kVerbs[i], status);
  }
  if (std::fflush(stdout) != 0) return Fail(nullptr, RuntimeError("standard output can't be written"));
  return common->exit_code;
}

}  // namespace
}  // namespace tamis

int main(int argc, char** argv) {
  return tamis::Main(argc, argv);
}
