#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "src/base/json_writer.h"
#include "src/cli/bisect_models.h"
#include "src/cli/bisect_report.h"
#include "src/cli/data_flags.h"
#include "src/cli/model_file.h"
#include "src/cli/verb.h"
#include "src/compiler/measure/compare.h"
#include "src/compiler/samples/npy.h"
#include "src/compiler/samples/sample_batches.h"

namespace tamis {
namespace {

struct Flags {
  std::string a, b, precision = "f32", device = "cpu", device_b = "cpu";
  DataFlags data;
  int threads = 0;
  bool bisect = false;
  double tolerance = 0;
  std::vector<std::string> without;
};

// One side: a model that is run, or outputs that were recorded.
struct Side {
  std::string path;
  std::shared_ptr<Session> session;
  NamedTensors recorded;  // by output, first dimension the samples
};

Result<Side> OpenSide(const std::string& path, int threads, const std::string& device) {
  Side side;
  side.path = path;
  if (!std::filesystem::is_directory(path)) {
    BuildOptions build;
    build.threads = threads;
    build.device = device;
    build.tune = false;
    TAMIS_ASSIGN_OR_RETURN(const OpenedModel model, OpenModel(path, build));
    side.session = model.session;
    return side;
  }
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().extension() != ".npy") continue;
    TAMIS_ASSIGN_OR_RETURN(side.recorded[entry.path().stem().string()], ReadNpy(entry.path().string()));
  }
  if (side.recorded.empty()) return UserError("the folder '{}' holds no .npy files of recorded outputs", path);
  return side;
}

// Rows of a recorded output.
Result<Tensor> PickRows(const Tensor& all, const std::vector<int64_t>& rows, const std::string& what) {
  Dims dims = all.dims();
  if (dims.empty()) return UserError("{}: recorded outputs need the samples as their first dimension", what);
  dims[0] = static_cast<int64_t>(rows.size());
  Tensor picked(all.dtype(), dims);
  const size_t row_bytes = picked.NumBytes() / std::max<size_t>(rows.size(), 1);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] >= all.dim(0)) return UserError("{} holds {} samples, the data have more", what, all.dim(0));
    std::memcpy(picked.raw() + i * row_bytes, all.raw() + static_cast<size_t>(rows[i]) * row_bytes, row_bytes);
  }
  return picked;
}

Result<NamedTensors> OutputsOf(const Side& side, const NamedTensors& inputs, const std::vector<int64_t>& samples) {
  if (side.session) return side.session->Run(inputs);
  NamedTensors outputs;
  for (const auto& [name, tensor] : side.recorded) {
    TAMIS_ASSIGN_OR_RETURN(outputs[name], PickRows(tensor, samples, side.path + "/" + name + ".npy"));
  }
  return outputs;
}

struct Row {
  OutputComparison comparison;
  int64_t labelled = 0, right_a = 0, right_b = 0;
};

void CountRight(const Tensor& scores, const std::vector<int64_t>& labels, int64_t* right) {
  const auto top = TopOne(scores);
  for (size_t i = 0; i < top.size(); ++i) *right += top[i] == labels[i] ? 1 : 0;
}

Status CompareBatch(const NamedTensors& a, const NamedTensors& b, const std::vector<int64_t>& labels,
                    std::map<std::string, Row>* rows) {
  for (const auto& [name, reference] : b) {
    // A recorded output's file name has '_' where the name had '/'; one output on each side needs no name at all.
    auto found = a.find(name);
    if (found == a.end() && a.size() == 1 && b.size() == 1) found = a.begin();
    if (found == a.end()) {
      std::string flat = name;
      std::replace(flat.begin(), flat.end(), '/', '_');
      found = a.find(flat);
    }
    if (found == a.end()) return UserError("output '{}' is on one side only", name);
    Row& row = (*rows)[name];
    TAMIS_RETURN_IF_ERROR(row.comparison.Add(found->second, reference).WithContext("output '" + name + "'"));
    if (!labels.empty() && reference.rank() == 2 && reference.dim(1) >= 2) {
      row.labelled += static_cast<int64_t>(labels.size());
      CountRight(found->second, labels, &row.right_a);
      CountRight(reference, labels, &row.right_b);
    }
  }
  return {};
}

void Print(const Flags& flags, const std::map<std::string, Row>& rows, bool as_json) {
  JsonWriter json;
  json.BeginObject().Field("a", flags.a).Field("b", flags.b).Key("outputs").BeginArray();
  for (const auto& [name, row] : rows) {
    const OutputComparison& c = row.comparison;
    json.BeginObject().Field("name", name).Field("samples", c.rows());
    json.Field("max_relative_error", c.MaxRelativeError()).Field("max_absolute_error", c.MaxAbsoluteError());
    json.Field("relative_root_error", c.RelativeRootError());
    json.Field("mean_cosine", c.MeanCosine()).Field("min_cosine", c.MinCosine());
    if (!as_json) {
      fmt::print("{}: {} samples\n  max |a-b| / max |b|  {:.3g}\n  mean cosine          {:.6f} (lowest {:.6f})\n", name,
                 c.rows(), c.MaxRelativeError(), c.MeanCosine(), c.MinCosine());
    }
    if (c.TopOneAgreement() >= 0) {
      json.Field("top1_agreement", c.TopOneAgreement()).Field("clear_top1_disagreements", c.ClearDisagreements());
      if (!as_json) {
        fmt::print("  same top-1           {:.2f} % ({} differ where b leads by more than {:g})\n",
                   100 * c.TopOneAgreement(), c.ClearDisagreements(), OutputComparison::kMargin);
      }
    }
    if (row.labelled > 0) {
      const double a = 100.0 * static_cast<double>(row.right_a) / static_cast<double>(row.labelled);
      const double b = 100.0 * static_cast<double>(row.right_b) / static_cast<double>(row.labelled);
      json.Field("top1_a", a).Field("top1_b", b).Field("top1_drop", b - a);
      if (!as_json) fmt::print("  top-1 by labels      {:.2f} % against {:.2f} % (drop {:+.2f})\n", a, b, b - a);
    }
    json.EndObject();
  }
  if (as_json) fmt::print("{}\n", json.EndArray().EndObject().text());
}

Status Bisect(const Flags& flags, const CommonFlags& common) {
  double tolerance = 0;
  const BisectFlags bisect{flags.a,       flags.b,         flags.data,   flags.precision,
                           flags.without, flags.tolerance, flags.threads};
  TAMIS_ASSIGN_OR_RETURN(const auto reports, BisectModels(bisect, &tolerance));
  if (!common.json) {
    PrintBisection(reports, tolerance);
    return {};
  }
  JsonWriter json;
  WriteBisection(reports, tolerance, &json);
  fmt::print("{}\n", json.text());
  return {};
}

Status Run(const Flags& flags, const CommonFlags& common) {
  if (flags.bisect) return Bisect(flags, common);
  if (flags.b.empty()) return UserError("compare needs two models, or --bisect for one against its unfused self");
  TAMIS_ASSIGN_OR_RETURN(const Side a, OpenSide(flags.a, flags.threads, flags.device));
  TAMIS_ASSIGN_OR_RETURN(const Side b, OpenSide(flags.b, flags.threads, flags.device_b));
  if (!a.session && !b.session) return UserError("both sides are recorded outputs; at least one must be a model");
  TAMIS_ASSIGN_OR_RETURN(const auto data, OpenData(flags.data, (a.session ? a : b).session->inputs()));
  const std::vector<int64_t> samples = AllSamples(*data, flags.data.samples);
  std::vector<const Session*> sessions;
  for (const Side* side : {&a, &b}) {
    if (side->session) sessions.push_back(side->session.get());
  }
  std::map<std::string, Row> rows;
  Progress progress("comparing");
  int64_t done = 0;
  for (const SampleBatch& batch : BatchesFor(sessions, *data, samples)) {
    TAMIS_ASSIGN_OR_RETURN(const NamedTensors inputs, data->Batch(batch.samples));
    const std::span<const int64_t> fresh = std::span(batch.samples).subspan(batch.repeated);
    std::vector<int64_t> labels;
    for (const int64_t sample : fresh) {
      if (!data->labels().empty()) labels.push_back(data->labels()[static_cast<size_t>(sample)]);
    }
    TAMIS_ASSIGN_OR_RETURN(NamedTensors out_a, OutputsOf(a, inputs, batch.samples));
    TAMIS_ASSIGN_OR_RETURN(NamedTensors out_b, OutputsOf(b, inputs, batch.samples));
    if (batch.repeated > 0) {
      if (!BySample(out_a, batch.samples.size()) || !BySample(out_b, batch.samples.size())) {
        if (rows.empty()) return UserError("{} samples fill no batch of {}", samples.size(), batch.samples.size());
        PrintNotice(
            fmt::format("the last {} samples fill no batch of {}, and what fills it up can't be told from them in the "
                        "outputs: they "
                        "are left out",
                        fresh.size(), batch.samples.size()));
        continue;
      }
      out_a = WithoutFirst(out_a, batch.repeated);
      out_b = WithoutFirst(out_b, batch.repeated);
    }
    TAMIS_RETURN_IF_ERROR(CompareBatch(out_a, out_b, labels, &rows));
    progress.Update(done += static_cast<int64_t>(fresh.size()), static_cast<int64_t>(samples.size()), "samples");
  }
  if (rows.empty()) return UserError("the data hold no sample");
  Print(flags, rows, common.json);
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("A", flags->a, "Engine, ONNX file or folder of recorded outputs (.npy)")->required();
  app.add_option("B", flags->b, "What A is judged against, likewise; with --bisect it may be left out");
  app.add_flag("--bisect", flags->bisect,
               "Find the pass, kernel or node where the runs part: of one network against its unfused self, or of two "
               "networks whose values have the same names. On the first sample (or fixed batch)");
  app.add_option("--tolerance", flags->tolerance,
                 "With --bisect: relative error that counts as parting; 1e-3 if not given, 2e-2 in bf16");
  app.add_option("--precision", flags->precision, "With --bisect, of an ONNX file: f32, bf16 or auto");
  app.add_option("--without", flags->without, "With --bisect: switch a pass off; may be given several times")
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--device", flags->device, "What A runs on: cpu, cuda or cuda:N");
  app.add_option("--reference-device", flags->device_b, "What B runs on");
  app.add_option("--threads", flags->threads, "Threads; 0: one for every core");
  DeclareDataFlags(app, &flags->data);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_compare = {"compare", "Compare the outputs of two models on the same samples",
                                  "tamis compare pruned.tamis model.onnx --data test_images.zip --image-size 32",
                                  Declare};

}  // namespace tamis
