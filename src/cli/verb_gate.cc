#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "src/cli/data_flags.h"
#include "src/cli/verb.h"
#include "src/compiler/verbs/gate_models.h"

namespace tamis {
namespace {

struct Flags {
  std::string dense, candidate, labels, output, junit, precision = "f32", device = "cpu";
  double max_drop = GateOptions{}.max_drop, seconds = GateOptions{}.latency_seconds;
  // NaN: not given.
  double min_agreement = std::numeric_limits<double>::quiet_NaN(), min_same = min_agreement,
         max_latency_ratio = min_agreement;
  int resamples = BootstrapOptions{}.resamples, threads = 0;
  uint64_t seed = BootstrapOptions{}.seed;
  int64_t batch = 0;
  bool strict = false;
  DataFlags data;
};

std::optional<double> IfGiven(double value) {
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

Status Run(const Flags& flags, CommonFlags& common) {
  GateRequest request;
  request.dense.path = flags.dense;
  request.candidate.path = flags.candidate;
  TAMIS_ASSIGN_OR_RETURN(request.data, RequestOf(flags.data));
  request.labels.file = flags.labels;
  request.options.max_drop = flags.max_drop;
  request.options.min_agreement = IfGiven(flags.min_agreement);
  request.options.min_same = IfGiven(flags.min_same);
  request.options.max_latency_ratio = IfGiven(flags.max_latency_ratio);
  request.options.strict = flags.strict;
  request.options.output = flags.output;
  request.options.bootstrap = {flags.seed, flags.resamples};
  request.options.latency_seconds = flags.seconds;
  request.batch = flags.batch;
  request.junit = flags.junit;
  request.precision = flags.precision;
  request.device = flags.device;
  request.threads = flags.threads;
  GateOutcome outcome;
  {
    Progress progress("gate");
    TAMIS_ASSIGN_OR_RETURN(outcome, GateModels(request, HooksOf(&progress, common, "gate")));
  }
  fmt::print(
      "{}", common.json ? GateJson(outcome.context, outcome.result) + "\n" : GateText(outcome.context, outcome.result));
  common.exit_code = outcome.result.Passed() ? 0 : 1;
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("--dense", flags->dense, "What the candidate is judged against: ONNX file or engine")->required();
  app.add_option("--candidate", flags->candidate, "The compressed network: engine or ONNX file")->required();
  app.add_option("--labels", flags->labels,
                 "Classes of all samples, integers in a .npy file; by default labels.npy in --data or the class\n"
                 "folders of images; none: don't use these");
  app.add_option("--output", flags->output, "The output that labels are about, where several could be");
  app.add_option("--max-drop", flags->max_drop, "Points of top-1 that may be lost; needs labels")
      ->capture_default_str();
  app.add_option("--min-agreement", flags->min_agreement,
                 "Least mean cosine between the sides' outputs; without labels 0.99");
  app.add_option("--min-same", flags->min_same,
                 "Least share of samples with the same class from both sides; without labels 0.95");
  app.add_option("--max-latency-ratio", flags->max_latency_ratio,
                 "Measure both sides in turns; the candidate's median may be at most this part of the dense one's");
  app.add_flag("--strict", flags->strict,
               "Fail as well where the 95 % interval reaches beyond a limit: the samples must prove that it holds");
  app.add_option("--junit", flags->junit, "Write the checks as JUnit XML to this file");
  app.add_option("--seed", flags->seed, "Of the bootstrap")->capture_default_str();
  app.add_option("--resamples", flags->resamples, "Of the bootstrap")->capture_default_str();
  app.add_option("--batch", flags->batch, "Samples of a latency run; by default what the engine was tuned for");
  app.add_option("--seconds", flags->seconds, "Of latency runs, a side")->capture_default_str();
  app.add_option("--precision", flags->precision, "Of ONNX files, which are built in memory: f32, bf16 or auto")
      ->capture_default_str();
  app.add_option("--device", flags->device, "cpu, cuda or cuda:N, for both sides");
  app.add_option("--threads", flags->threads, "Threads; 0: one for every core");
  DeclareDataFlags(app, &flags->data);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_gate = {
    "gate", "Judge a compressed network against the dense one; exit code 0: passed, 1: failed, 2: could not judge",
    "tamis gate --dense model.onnx --candidate model.tamis --data test/ --max-drop 1.5 --max-latency-ratio 0.5 "
    "--junit gate.xml",
    Declare, 2};

}  // namespace tamis
