#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "src/base/atomic_file.h"
#include "src/cli/data_flags.h"
#include "src/cli/model_file.h"
#include "src/cli/verb.h"
#include "src/compiler/coverage.h"
#include "src/compiler/gate.h"
#include "src/compiler/gate_report.h"
#include "src/compiler/labels.h"

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

// The batch that the engine is tuned for: its first profile's, else 1.
int64_t TunedBatch(const OpenedModel& model) {
  const auto& inputs = model.session->inputs();
  if (inputs.empty() || inputs[0].dim_names.empty() || model.engine->plans.empty()) return 1;
  const Profile& profile = model.engine->plans.front().profile;
  const auto found = profile.find(inputs[0].dim_names[0]);
  return found == profile.end() ? 1 : std::max<int64_t>(1, found->second.opt);
}

Result<std::vector<int64_t>> LabelsFor(const Flags& flags, const DataSource& data) {
  if (flags.labels == "none") return std::vector<int64_t>();
  if (flags.labels.empty()) return data.labels();
  return ReadLabels(flags.labels, data.size());
}

Result<OpenedModel> OpenSide(const Flags& flags, const std::string& path) {
  BuildOptions build;
  build.threads = flags.threads;
  build.device = flags.device;
  build.tune = !std::isnan(flags.max_latency_ratio);  // an untuned side would lose by its kernels
  TAMIS_ASSIGN_OR_RETURN(build.precision, ParsePrecision(flags.precision));
  return OpenModel(path, build);
}

Result<GateResult> Judge(const Flags& flags, GateContext* context) {
  GateOptions options;
  options.max_drop = flags.max_drop;
  options.min_agreement = IfGiven(flags.min_agreement);
  options.min_same = IfGiven(flags.min_same);
  options.max_latency_ratio = IfGiven(flags.max_latency_ratio);
  options.strict = flags.strict;
  options.output = flags.output;
  options.bootstrap = context->bootstrap;
  options.latency_seconds = flags.seconds;
  options.latency_batch = std::max<int64_t>(1, flags.batch);
  TAMIS_RETURN_IF_ERROR(CheckGateOptions(options));
  if (flags.batch < 0) return UserError("--batch is {}; it takes 1 or more", flags.batch);
  TAMIS_ASSIGN_OR_RETURN(const OpenedModel dense, OpenSide(flags, flags.dense));
  TAMIS_ASSIGN_OR_RETURN(const OpenedModel candidate, OpenSide(flags, flags.candidate));
  context->dense_hash = dense.engine->provenance.source_hash;
  context->candidate_hash = candidate.engine->provenance.source_hash;
  TAMIS_ASSIGN_OR_RETURN(const auto inputs, CommonInputs(*dense.session, *candidate.session));
  TAMIS_ASSIGN_OR_RETURN(const auto data, OpenData(flags.data, inputs));
  context->data_hash = data->hash();
  TAMIS_ASSIGN_OR_RETURN(const std::vector<int64_t> labels, LabelsFor(flags, *data));
  const std::vector<int64_t> samples = AllSamples(*data, flags.data.samples);
  if (flags.batch == 0) {
    const int64_t tuned = TunedBatch(LooksLikeEngine(flags.candidate) ? candidate : dense);
    options.latency_batch = std::clamp<int64_t>(tuned, 1, std::max<int64_t>(1, static_cast<int64_t>(samples.size())));
  }
  Progress progress("gate");
  options.progress = [&](int64_t done, int64_t total, const std::string& what) { progress.Update(done, total, what); };
  TAMIS_ASSIGN_OR_RETURN(GateResult result,
                         RunGate(*dense.session, *candidate.session, *data, samples, labels, options));
  const std::vector<ValueRecord>& records = candidate.engine->provenance.values;
  if (!records.empty()) {
    constexpr int64_t kCompared = 256;
    TAMIS_ASSIGN_OR_RETURN(const auto batches, ReadBatches(*data, AllSamples(*data, kCompared), 32));
    const auto odd = CompareInputs(records, batches);
    result.notices.insert(result.notices.end(), odd.begin(), odd.end());
  }
  return result;
}

Status Run(const Flags& flags, CommonFlags& common) {
  GateContext context;
  context.dense = flags.dense;
  context.candidate = flags.candidate;
  context.data = flags.data.path;
  context.bootstrap = {flags.seed, flags.resamples};
  const auto result = Judge(flags, &context);
  if (!result.ok()) {
    // A CI job that shows only the JUnit file must not show the last run's.
    if (!flags.junit.empty()) {
      const Status written = AtomicFile::WriteWhole(flags.junit, GateErrorJunit(context, result.status()));
      if (!written.ok()) PrintNotice(written.message());
    }
    return result.status();
  }
  for (const std::string& notice : result->notices) PrintNotice(notice);
  if (!flags.junit.empty()) TAMIS_RETURN_IF_ERROR(AtomicFile::WriteWhole(flags.junit, GateJunit(context, *result)));
  fmt::print("{}", common.json ? GateJson(context, *result) + "\n" : GateText(context, *result));
  common.exit_code = result->Passed() ? 0 : 1;
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
