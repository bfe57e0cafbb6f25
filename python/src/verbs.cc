// tamis._tamis.prune, optimize, and what compare is written over.
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/errors.h"
#include "python/src/interruptible.h"
#include "python/src/source.h"
#include "src/base/atomic_file.h"
#include "src/base/hash.h"
#include "src/compiler/check_samples.h"
#include "src/compiler/compare.h"
#include "src/compiler/coverage.h"
#include "src/compiler/data_source.h"
#include "src/compiler/optimize.h"
#include "src/compiler/prune.h"
#include "src/compiler/quantize.h"
#include "src/onnx/onnx.h"
#include "src/runtime/specialize.h"
#include "src/tuner/timing_cache.h"

namespace nb = nanobind;

namespace tamis::python {
namespace {

// Samples as Python gives them, before the network's inputs are known.
struct PyData {
  std::string path;      // of a folder or an archive; or
  NamedTensors tensors;  // by input, first dimension the samples
  DataOptions options;   // of images
  int64_t samples = 0;   // at most; 0: all

  std::shared_ptr<const DataSource> Open(std::span<const TensorSpec> inputs) const {
    if (samples < 0) Raise(UserError("samples is {}; it takes 0 (all) or more", samples));
    return Unwrap(path.empty() ? OpenTensors(tensors, inputs) : OpenDataSource(path, inputs, options));
  }
};

PyData MakeData(const nb::object& source, int64_t samples, int64_t image_size, std::vector<float> mean,
                std::vector<float> std) {
  PyData data;
  data.samples = samples;
  data.options = {image_size, std::move(mean), std::move(std)};
  if (nb::isinstance<nb::str>(source)) {
    data.path = nb::cast<std::string>(source);
    if (data.path.empty()) Raise(UserError("the path of the data is empty"));
    return data;
  }
  for (const auto& [key, value] : nb::cast<nb::dict>(source)) {
    const auto name = nb::cast<std::string>(key);
    data.tensors[name] = TensorFromArray(value, "data '" + name + "'");
  }
  return data;
}

nb::dict ToDict(const LayerReport& layer) {
  nb::dict row;
  row["weight"] = layer.name;
  row["node"] = layer.node;
  row["operator"] = layer.op;
  row["outputs"] = layer.n;
  row["inputs"] = layer.k;
  row["pattern"] = layer.pattern;
  row["reason"] = layer.reason;
  row["saliency_kept"] = layer.saliency_kept;
  row["output_error"] = layer.output_error;
  row["bias_moved"] = layer.bias_moved;
  return row;
}

nb::dict PruneToFile(const nb::object& model, const std::string& folder, const std::string& output, const PyData& data,
                     const std::string& method, const std::vector<std::string>& keep, int threads,
                     nb::object progress) {
  PruneOptions options;
  options.method = Unwrap(ParsePruneMethod(method));
  options.keep = keep;
  Work work(std::move(progress));
  options.cancelled = [&work] { return work.Cancelled(); };
  options.progress = [&work](int done, int total, const std::string& layer) { work.Report(done, total, layer); };
  const Source source = Source::Of(model, folder, false);
  PruneReport report;
  std::vector<std::string> notes;
  CoverageVerdict coverage;
  work.Run([&] {
    Network network = source.Load();
    const auto samples = data.Open(InputSpecs(network.graph));
    const auto batches = Unwrap(ReadBatches(*samples, AllSamples(*samples, data.samples), 32));
    notes = Unwrap(CheckSamples(network.graph, batches, {threads, options.cancelled}));
    coverage = Unwrap(MeasureCoverage(network.graph, batches, {threads, {}, options.cancelled}));
    report = Unwrap(Prune(network.graph, batches, options, std::make_shared<ThreadPool>(threads)));
    report.notes.insert(report.notes.begin(), notes.begin(), notes.end());
    Check(ExportOnnx(network.graph, output,
                     {{"tamis.pattern", "2:4"},
                      {"tamis.method", method},
                      {"tamis.source_hash", network.hash},
                      {"tamis.data_hash", HexString(samples->hash())}}));
    Check(VerifyPruned(output, report));
  });
  nb::dict result;
  nb::list layers;
  for (const LayerReport& layer : report.layers) layers.append(ToDict(layer));
  result["layers"] = layers;
  result["samples"] = report.samples;
  result["notes"] = report.notes;
  result["settled"] = coverage.settled;
  result["verdict"] = coverage.text;
  return result;
}

nb::dict QuantizeToFile(const nb::object& model, const std::string& folder, const std::string& output,
                        const PyData& data, const std::string& observer, double percentile, bool signed_activations,
                        const std::vector<std::string>& keep, int threads, nb::object progress) {
  QuantizeOptions options;
  options.observer.observer = Unwrap(ParseObserver(observer));
  options.observer.percentile = percentile;
  options.signed_activations = signed_activations;
  options.keep = keep;
  options.threads = threads;
  Work work(std::move(progress));
  options.cancelled = [&work] { return work.Cancelled(); };
  options.progress = [&work](int done, int total, const std::string& what) { work.Report(done, total, what); };
  const Source source = Source::Of(model, folder, false);
  QuantizeReport report;
  std::vector<std::string> notes;
  work.Run([&] {
    Network network = source.Load();
    const auto samples = data.Open(InputSpecs(network.graph));
    const auto batches = Unwrap(ReadBatches(*samples, AllSamples(*samples, data.samples), 32));
    notes = Unwrap(CheckSamples(network.graph, batches, {threads, options.cancelled}));
    report = Unwrap(Quantize(network.graph, batches, options));
    Check(ExportOnnx(network.graph, output,
                     {{"tamis.observer", observer},
                      {"tamis.source_hash", network.hash},
                      {"tamis.data_hash", HexString(samples->hash())}}));
  });
  nb::dict result;
  nb::list layers, tensors;
  for (const QuantizedLayer& layer : report.layers) {
    nb::dict row;
    row["weight"] = layer.name;
    row["node"] = layer.node;
    row["operator"] = layer.op;
    row["int8"] = layer.quantized;
    row["reason"] = layer.reason;
    row["weight_error"] = layer.weight_error;
    row["bias_moved"] = layer.bias_moved;
    layers.append(row);
  }
  for (const QuantizedTensor& tensor : report.tensors) {
    nb::dict row;
    row["name"] = tensor.name;
    row["low"] = tensor.low;
    row["high"] = tensor.high;
    row["scale"] = tensor.map.scale;
    row["zero_point"] = tensor.map.zero;
    row["clipped"] = tensor.clipped;
    row["growth"] = tensor.growth;
    tensors.append(row);
  }
  result["layers"] = layers;
  result["tensors"] = tensors;
  result["samples"] = report.samples;
  result["settled"] = report.settled;
  result["verdict"] = report.verdict;
  result["notes"] = notes;
  return result;
}

nb::dict ToDict(const Quality& quality) {
  nb::dict row;
  row["agreement"] = quality.agreement;
  row["agreement_error"] = quality.agreement_error;
  row["drop"] = quality.drop;
  row["drop_error"] = quality.drop_error;
  row["counted_drop"] = quality.counted_drop;
  row["labelled"] = quality.labelled;
  return row;
}

nb::dict ToDict(const OptimizeResult& result) {
  nb::dict dict;
  nb::list layers, trials;
  for (const OptimizedLayer& layer : result.layers) {
    nb::dict row;
    row["weight"] = layer.name;
    row["node"] = layer.node;
    row["operator"] = layer.op;
    row["pattern"] = Name(layer.setting.pattern);
    row["int8"] = layer.setting.int8;
    row["reason"] = layer.reason;
    nb::list float_ms, int8_ms, pattern_error;
    for (const double seconds : layer.row.as_float.seconds) float_ms.append(seconds * 1e3);
    for (const double seconds : layer.row.as_int8.seconds) int8_ms.append(seconds * 1e3);
    for (const double error : layer.row.pattern_error) pattern_error.append(error);
    row["float_ms"] = float_ms;
    row["int8_ms"] = int8_ms;
    row["int8_error"] = layer.row.int8_error;
    row["pattern_error"] = pattern_error;
    row["output_error"] = layer.report.output_error;
    layers.append(row);
  }
  for (const OptimizeTrial& trial : result.trials) {
    nb::dict row = ToDict(trial.quality);
    row["label"] = trial.label;
    row["uniform"] = trial.uniform;
    row["int8_layers"] = CountInt8(trial.assignment);
    row["sparse_layers"] = CountSparse(trial.assignment);
    row["predicted_ms"] = trial.seconds * 1e3;
    row["ms"] = trial.measured_seconds * 1e3;
    row["holds"] = trial.holds;
    trials.append(row);
  }
  dict["layers"] = layers;
  dict["trials"] = trials;
  dict["chosen"] = result.trials[static_cast<size_t>(result.chosen)].label;
  dict["choose"] = ToDict(result.choose);
  dict["confirm"] = ToDict(result.confirm);
  dict["holds"] = result.holds;
  dict["precision"] = result.precision;
  dict["dense_ms"] = result.dense_ms;
  dict["ms"] = result.ms;
  dict["predicted_ms"] = result.predicted_ms;
  dict["fit_samples"] = result.fit_samples;
  dict["choose_samples"] = result.choose_samples;
  dict["confirm_samples"] = result.confirm_samples;
  return dict;
}

nb::tuple OptimizeModel(const nb::object& model, const std::string& folder, const PyData& data,
                        std::optional<double> min_agreement, std::optional<double> max_drop,
                        const std::string& precision, const std::string& method, const std::vector<std::string>& keep,
                        const std::vector<Profiles>& profiles, int threads, const std::string& report,
                        nb::object progress) {
  OptimizeOptions options;
  options.budget.min_agreement = min_agreement.value_or(0);
  options.budget.max_drop = max_drop.value_or(-1);
  options.build.precision = Unwrap(ParsePrecision(precision));
  options.build.threads = threads;
  for (const Profiles& profile : profiles) options.build.profiles.push_back(Ranges(profile));
  options.build.cache_path = TimingCache::DefaultPath();
  options.prune.method = Unwrap(ParsePruneMethod(method));
  options.prune.keep = keep;
  options.split = OptimizeSplit(data.samples);
  options.int8 = options.build.precision == Precision::kAuto;
  options.command = "tamis.optimize in Python";
  Work work(std::move(progress));
  std::string step = "start";
  options.log = [&step](const std::string& text) { step = text; };
  options.build.cancelled = options.prune.cancelled = [&work] { return work.Cancelled(); };
  options.prune.progress = [&](int done, int total, const std::string& layer) {
    work.Report(done, total, step + ", " + layer);
  };
  options.build.progress = [&work](int done, int total, const std::string& what) { work.Report(done, total, what); };
  const Source source = Source::Of(model, folder, false);
  OptimizeResult result;
  work.Run([&] {
    const Network network = source.Load();
    result = Unwrap(Optimize(network, *data.Open(InputSpecs(network.graph)), options));
    if (!result.holds) result.notices.push_back(BudgetMissed(result));
    if (result.holds && !report.empty()) {
      Check(AtomicFile::WriteWhole(report, OptimizeReportHtml(network, options, result)));
    }
  });
  return nb::make_tuple(PyEngine{result.engine, {}, result.notices}, ToDict(result));
}

// Samples opened for a session's inputs.
struct PyBatches {
  std::shared_ptr<const DataSource> source;
  std::vector<int64_t> samples;
  int64_t batch = 32;

  size_t Count() const {
    const auto size = static_cast<size_t>(batch);
    return source->fixed_batch() > 0 ? samples.size() / size : (samples.size() + size - 1) / size;
  }
  std::vector<int64_t> Chosen(size_t index) const {
    const size_t begin = index * static_cast<size_t>(batch);
    const size_t end = std::min(samples.size(), begin + static_cast<size_t>(batch));
    return {samples.begin() + static_cast<std::ptrdiff_t>(begin), samples.begin() + static_cast<std::ptrdiff_t>(end)};
  }
};

PyBatches OpenBatches(const PySession& session, const PyData& data) {
  PyBatches batches;
  batches.source = data.Open(session.session->inputs());
  batches.samples = AllSamples(*batches.source, data.samples);
  if (batches.source->fixed_batch() > 0) batches.batch = batches.source->fixed_batch();
  return batches;
}

nb::dict ReadBatch(const PyBatches& self, size_t index) {
  if (index >= self.Count()) throw nb::index_error();
  nb::dict arrays;
  for (const auto& [name, tensor] : Unwrap(self.source->Batch(self.Chosen(index)))) {
    arrays[name.c_str()] = ArrayFromTensor(tensor);
  }
  return arrays;
}

std::vector<int64_t> Labels(const PyBatches& self, size_t index) {
  std::vector<int64_t> labels;
  if (self.source->labels().empty()) return labels;
  for (const int64_t sample : self.Chosen(index)) labels.push_back(self.source->labels()[static_cast<size_t>(sample)]);
  return labels;
}

void AddToComparison(OutputComparison& self, nb::handle a, nb::handle b) {
  Check(self.Add(TensorFromArray(a, "the output"), TensorFromArray(b, "the reference")));
}

}  // namespace

void DefineVerbs(nb::module_& module) {
  nb::class_<PyData>(module, "Data");
  module.def("make_data", MakeData, nb::arg("source"), nb::arg("samples"), nb::arg("image_size"), nb::arg("mean"),
             nb::arg("std"));
  module.def("prune", PruneToFile, nb::arg("model"), nb::arg("folder"), nb::arg("output"), nb::arg("data"),
             nb::arg("method"), nb::arg("keep"), nb::arg("threads"), nb::arg("progress").none());
  module.def("quantize", QuantizeToFile, nb::arg("model"), nb::arg("folder"), nb::arg("output"), nb::arg("data"),
             nb::arg("observer"), nb::arg("percentile"), nb::arg("signed_activations"), nb::arg("keep"),
             nb::arg("threads"), nb::arg("progress").none());
  module.def("optimize", OptimizeModel, nb::arg("model"), nb::arg("folder"), nb::arg("data"),
             nb::arg("min_agreement").none(), nb::arg("max_drop").none(), nb::arg("precision"), nb::arg("method"),
             nb::arg("keep"), nb::arg("profiles"), nb::arg("threads"), nb::arg("report"), nb::arg("progress").none());
  nb::class_<PyBatches>(module, "Batches")
      .def("__len__", &PyBatches::Count)
      .def("__getitem__", ReadBatch, nb::arg("index"))
      .def("labels", Labels, nb::arg("index"));
  module.def("open_batches", OpenBatches, nb::arg("session"), nb::arg("data"));
  nb::class_<OutputComparison>(module, "OutputComparison")
      .def(nb::init<>())
      .def("add", AddToComparison, nb::arg("output"), nb::arg("reference"))
      .def_prop_ro("rows", &OutputComparison::rows)
      .def_prop_ro("max_relative_error", &OutputComparison::MaxRelativeError)
      .def_prop_ro("max_absolute_error", &OutputComparison::MaxAbsoluteError)
      .def_prop_ro("relative_root_error", &OutputComparison::RelativeRootError)
      .def_prop_ro("mean_cosine", &OutputComparison::MeanCosine)
      .def_prop_ro("min_cosine", &OutputComparison::MinCosine)
      .def_prop_ro("top1_agreement", &OutputComparison::TopOneAgreement)
      .def_prop_ro("clear_top1_disagreements", &OutputComparison::ClearDisagreements);
}

}  // namespace tamis::python
