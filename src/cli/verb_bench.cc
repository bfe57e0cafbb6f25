#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "src/base/atomic_file.h"
#include "src/base/json_writer.h"
#include "src/base/request_problems.h"
#include "src/base/thread_count.h"
#include "src/cli/gpu_figures.h"
#include "src/cli/model_file.h"
#include "src/cli/session_flags.h"
#include "src/cli/verb.h"
#include "src/compiler/plan/confirm_plan.h"
#include "src/compiler/verbs/output_targets.h"
#include "src/cuda/device.h"
#include "src/runtime/benchmark.h"
#include "src/runtime/plan_choice.h"
#include "src/tuner/timing_cache.h"

namespace tamis {
namespace {

struct Flags {
  std::vector<std::string> files, shapes;
  int threads = 0, streams = 0;
  double warmup = 0.5, seconds = 3;
  std::vector<double> percentiles = {90, 99};
  bool layers = false, latencies = false, check = false;
  std::string json, device = "cpu";
  SessionFlags session;
};

using Clock = std::chrono::steady_clock;

struct Row {
  std::string file;
  std::optional<PlanCheck> check;
  std::vector<Dims> input_dims;
  int64_t batch = 1;
  BenchmarkResult result;
  std::vector<Session::NodeTime> layers;
  std::optional<GpuFigures> gpu;
  double open_seconds = 0, first_seconds = 0;  // until the session stands, and of the first answer after that
};

void PrintLayers(const Row& row) {
  double total = 0;
  for (const auto& layer : row.layers) total += layer.seconds;
  fmt::print("\n{}: time per node\n{:>9} {:>6}  {:<26} {:<28} {}\n", row.file, "ms", "share", "operator", "tactic",
             "node");
  for (const auto& layer : row.layers) {
    fmt::print("{:>9.4f} {:>5.1f}%  {:<26} {:<28} {} {}\n", layer.seconds * 1e3, 100 * layer.seconds / total, layer.op,
               layer.tactic, layer.name, ToString(layer.output_dims));
  }
}

void PrintCheck(const Row& row) {
  const PlanCheck& check = *row.check;
  fmt::print("\n{}: {:.3f} ms by its plan, {:.3f} ms all dense ({:.2f} of it); {} of {} nodes run other kernels\n",
             row.file, check.whole.chosen_seconds * 1e3, check.whole.dense_seconds * 1e3,
             check.whole.chosen_seconds / check.whole.dense_seconds, check.layers.size(), check.nodes);
  int losing = 0;
  for (const LayerComparison& layer : check.layers) {
    losing += layer.Loses() ? 1 : 0;
    fmt::print("{:>9.4f} {:>9.4f} {:>6.2f}{} {:<28} {:<28} {}\n", layer.chosen_seconds * 1e3, layer.dense_seconds * 1e3,
               layer.chosen_seconds / layer.dense_seconds, layer.Loses() ? "!" : " ", layer.chosen_kernel,
               layer.dense_kernel, layer.node);
  }
  fmt::print(
      "{} of them more than 3 % slower than dense; of the {} nodes with the same kernel on both sides {} seem to be "
      "so, at most {:.2f}\n",
      losing, check.same.count, check.same.slower, check.same.highest);
}

void WriteCheck(const PlanCheck& check, JsonWriter* json) {
  json->Key("check").BeginObject().Field("chosen_ms", check.whole.chosen_seconds * 1e3);
  json->Field("dense_ms", check.whole.dense_seconds * 1e3).Field("nodes", check.nodes).Key("layers").BeginArray();
  for (const LayerComparison& layer : check.layers) {
    json->BeginObject().Field("node", layer.node).Field("operator", layer.op);
    json->Field("chosen", layer.chosen_kernel).Field("dense", layer.dense_kernel);
    json->Field("chosen_ms", layer.chosen_seconds * 1e3).Field("dense_ms", layer.dense_seconds * 1e3).EndObject();
  }
  json->EndArray().Key("same").BeginObject().Field("nodes", check.same.count).Field("slower", check.same.slower);
  json->Field("highest", check.same.highest).EndObject().EndObject();
}

// The plan that the session takes on this machine, against dense kernels.
Result<PlanCheck> Check(const Engine& engine, const std::map<std::string, int64_t>& binding, int threads) {
  if (threads == 0) threads = Cpu().usable_cores;
  const Plan* plan = ChoosePlan(engine.plans, {Cpu().Fingerprint(), threads, 0}, binding);
  if (plan == nullptr || plan->threads != threads) {
    return UserError("--check: the engine has no plan for this machine and {} threads; `tamis build` adds one",
                     threads);
  }
  TunerOptions options;
  options.threads = threads;
  options.cache_path = TimingCache::DefaultPath();
  Tuner tuner(options);
  const PlanPoint* nearest = NearestPoint(*plan, binding);
  return CheckPlan(engine.Fused(plan->variant), *nearest, tuner, threads);
}

std::string ToJson(const std::vector<Row>& rows, const Flags& flags) {
  JsonWriter json;
  json.BeginObject().Field("threads", flags.threads).Field("streams", flags.streams).Key("results").BeginArray();
  for (const Row& row : rows) {
    const BenchmarkResult& r = row.result;
    json.BeginObject().Field("file", row.file).Field("requests", r.requests).Field("batch", row.batch);
    json.Field("median_ms", r.median * 1e3).Field("mean_ms", r.mean * 1e3).Field("min_ms", r.min * 1e3);
    json.Field("max_ms", r.max * 1e3).Field("requests_per_second", r.requests_per_second);
    json.Field("samples_per_second", r.requests_per_second * static_cast<double>(row.batch));
    json.Key("percentiles_ms").BeginObject();
    for (size_t i = 0; i < flags.percentiles.size(); ++i) {
      json.Field(fmt::format("{}", flags.percentiles[i]), r.percentiles[i] * 1e3);
    }
    json.EndObject();
    json.Field("open_ms", row.open_seconds * 1e3).Field("first_ms", row.first_seconds * 1e3);
    if (row.gpu) AddToJson(*row.gpu, &json);
    if (row.check) WriteCheck(*row.check, &json);
    if (flags.latencies) {
      json.Key("latencies_ms").BeginArray();
      for (const double latency : r.latencies) json.Value(latency * 1e3);
      json.EndArray();
    }
    if (!row.layers.empty()) {
      json.Key("layers").BeginArray();
      for (const auto& layer : row.layers) {
        json.BeginObject().Field("node", layer.name).Field("operator", layer.op).Field("tactic", layer.tactic);
        json.Field("ms", layer.seconds * 1e3).Field("output", layer.output_dims).EndObject();
      }
      json.EndArray();
    }
    json.EndObject();
  }
  return json.EndArray().EndObject().text();
}

void PrintTable(const std::vector<Row>& rows, const Flags& flags) {
  fmt::print("{:<32} {:>9} {:>9}", "file", "p50 ms", "mean ms");
  for (const double percent : flags.percentiles) fmt::print(" {:>9}", fmt::format("p{:g} ms", percent));
  fmt::print(" {:>11} {:>8}\n", "samples/s", "requests");
  for (const Row& row : rows) {
    const BenchmarkResult& r = row.result;
    fmt::print("{:<32} {:>9.3f} {:>9.3f}", row.file, r.median * 1e3, r.mean * 1e3);
    for (const double value : r.percentiles) fmt::print(" {:>9.3f}", value * 1e3);
    fmt::print(" {:>11.1f} {:>8}\n", r.requests_per_second * static_cast<double>(row.batch), r.requests);
  }
  if (rows.size() > 1) {
    fmt::print("\n");
    for (size_t i = 1; i < rows.size(); ++i) {
      fmt::print("{} takes {:.3f} of the time of {} (medians, interleaved)\n", rows[i].file,
                 rows[i].result.median / rows[0].result.median, rows[0].file);
    }
  }
  for (const Row& row : rows) {
    if (row.gpu) fmt::print("{}: {}\n", row.file, ToText(*row.gpu));
  }
  for (const Row& row : rows) {
    if (!row.layers.empty()) PrintLayers(row);
    if (row.check) PrintCheck(row);
  }
}

Status Run(Flags flags) {
  RequestProblems problems;
  problems.Need(flags.streams >= 0 && flags.streams <= kMaxThreads,  // each is a thread
                "--streams is {}; it takes 1 to {}", flags.streams, kMaxThreads);
  problems.Need(flags.seconds >= 0, "--seconds is {}; it takes seconds, 0 or more", flags.seconds);
  problems.Need(flags.warmup >= 0, "--warmup is {}; it takes seconds, 0 or more", flags.warmup);
  for (const double percent : flags.percentiles) {
    problems.Need(percent > 0 && percent <= 100, "--percentile {} is not in (0, 100]", percent);
  }
  SessionOptions session;
  session.threads = flags.threads;
  problems.Add(flags.session.Apply(&session));
  const std::optional<int> gpu = problems.Take(ParseDevice(flags.device));
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (flags.streams == 0) flags.streams = flags.session.Throughput() ? Cpu().usable_cores : 1;
  if (flags.json != "-") TAMIS_RETURN_IF_ERROR(CheckTargets({flags.json}, flags.files));
  BuildOptions build;
  flags.threads = build.threads = session.threads;
  build.device = flags.device;
  std::shared_ptr<const CudaDevice> device;  // its context is not what opening an engine takes
  if (gpu) {
    TAMIS_ASSIGN_OR_RETURN(device, CudaDevice::Open(*gpu));
  }
  std::vector<BenchmarkCase> cases;
  std::vector<Row> rows;
  for (const std::string& file : flags.files) {
    Row row;
    row.file = file;
    const auto start = Clock::now();
    TAMIS_ASSIGN_OR_RETURN(const OpenedModel model, OpenModel(file, build, session));
    TAMIS_RETURN_IF_ERROR(CheckWeightsStay({flags.json}, model.weight_files));
    row.open_seconds = std::chrono::duration<double>(Clock::now() - start).count();
    TAMIS_ASSIGN_OR_RETURN(const auto binding, ShapeBinding(model, flags.shapes));
    TAMIS_ASSIGN_OR_RETURN(NamedTensors inputs, RandomInputs(model.session->inputs(), binding, 1));
    const auto opened = Clock::now();
    TAMIS_RETURN_IF_ERROR(model.session->Run(inputs).status());
    row.first_seconds = std::chrono::duration<double>(Clock::now() - opened).count();
    for (const auto& spec : model.session->inputs()) row.input_dims.push_back(inputs[spec.name].dims());
    if (!row.input_dims.empty() && !row.input_dims[0].empty()) row.batch = row.input_dims[0][0];
    if (flags.layers) {
      TAMIS_ASSIGN_OR_RETURN(row.layers, model.session->Profile(inputs, 3));
      TAMIS_ASSIGN_OR_RETURN(row.layers, model.session->Profile(inputs, 30));
    }
    if (flags.check) {
      TAMIS_ASSIGN_OR_RETURN(row.check, Check(*model.engine, binding, flags.threads));
    }
    cases.push_back({model.session, std::move(inputs)});
    rows.push_back(std::move(row));
  }
  BenchmarkOptions options;
  options.streams = flags.streams;
  options.warmup_seconds = flags.warmup;
  options.seconds = flags.seconds;
  options.percentiles = flags.percentiles;
  TAMIS_ASSIGN_OR_RETURN(const auto results, Benchmark(cases, options));
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].result = results[i];
    if (gpu) {
      TAMIS_ASSIGN_OR_RETURN(rows[i].gpu, MeasureGpu(device, *cases[i].session, cases[i].inputs, flags.seconds));
    }
  }
  if (flags.json != "-") PrintTable(rows, flags);
  if (flags.json.empty()) return {};
  if (flags.json == "-") {
    fmt::print("{}\n", ToJson(rows, flags));
    return {};
  }
  return AtomicFile::WriteWhole(flags.json, ToJson(rows, flags) + "\n");
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags>) {
  auto flags = std::make_shared<Flags>();
  app.add_option("FILE", flags->files, "Engines or ONNX files (these are built in memory, f32)")->required();
  app.add_option("--shape", flags->shapes, "input=1x3x224x224, once an input with dynamic dimensions");
  app.add_option("--device", flags->device, "cpu, cuda or cuda:N");
  app.add_option("--threads", flags->threads, "Threads; 0: one for every core");
  DeclareSessionFlags(app, &flags->session);
  DeclareModeFlag(app, &flags->session);
  app.add_option("--streams", flags->streams,
                 "Requests in flight at once; by default 1, or in throughput mode one a core");
  app.add_option("--warmup", flags->warmup, "Seconds before the measurement");
  app.add_option("--seconds", flags->seconds, "Seconds of measurement a file");
  app.add_option("--percentile", flags->percentiles, "Percentiles, for example 90,99")->delimiter(',');
  app.add_flag("--layers", flags->layers, "Time every node as well");
  app.add_flag("--check", flags->check,
               "Measure the plan against the all-dense plan afresh, in turns, end to end and node by node");
  app.add_flag("--latencies", flags->latencies, "Put every latency into the JSON");
  app.add_option("--json", flags->json, "Write the result as JSON to this file, - for standard output");
  return [flags] { return Run(*flags); };
}

}  // namespace

extern const Verb verb_bench = {
    "bench", "Measure latency and throughput of engines or ONNX files, interleaved in one run",
    "tamis bench dense.tamis sparse.tamis --shape ids=1x128 --threads 2 --seconds 5", Declare};

}  // namespace tamis
