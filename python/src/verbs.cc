// tamis._tamis.prune, quantize, optimize and gate: the functions behind the command line's verbs, on what Python gives;
// and what compare is written over.
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
#include "src/compiler/measure/compare.h"
#include "src/compiler/samples/sample_batches.h"
#include "src/compiler/verbs/gate_models.h"
#include "src/compiler/verbs/optimize_model.h"
#include "src/compiler/verbs/prune_model.h"
#include "src/compiler/verbs/quantize_model.h"

namespace nb = nanobind;

namespace tamis::python {
namespace {

SampleRequest MakeData(const nb::object& source, int64_t samples, int64_t image_size, std::vector<float> mean,
                       std::vector<float> std) {
  SampleRequest data;
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

// What a verb takes from Python beside its own arguments.
VerbHooks HooksOf(Work* work) {
  VerbHooks hooks;
  hooks.progress = [work](int64_t done, int64_t total, const std::string& what) {
    work->Report(static_cast<int>(done), static_cast<int>(total), what);
  };
  hooks.cancelled = [work] { return work->Cancelled(); };
  return hooks;
}

// The functions give back what the command line prints with --json.

nb::str PruneToFile(const nb::object& model, const std::string& folder, const std::string& output,
                    const SampleRequest& data, std::optional<std::vector<int64_t>> labels, const std::string& method,
                    const std::string& pattern, const std::vector<std::string>& keep, const std::string& quantize,
                    const std::string& observer, const std::string& activations,
                    const std::vector<std::string>& keep_float, std::optional<bool> permute, int threads,
                    nb::object progress) {
  PruneRequest request;
  request.model = ModelOf(model, folder);
  request.output = output;
  request.data = data;
  request.labels.classes = std::move(labels);
  request.method = method;
  request.pattern = pattern;
  request.keep = keep;
  request.quantize = quantize;
  request.observer = observer;
  request.activations = activations;
  request.keep_float = keep_float;
  request.permute = permute;
  request.threads = threads;
  Work work(std::move(progress));
  std::string json;
  work.Run([&] { json = ToJson(UnwrapVerb(PruneModel(request, HooksOf(&work)))); });
  return nb::str(json.data(), json.size());
}

nb::str QuantizeToFile(const nb::object& model, const std::string& folder, const std::string& output,
                       const SampleRequest& data, const std::string& format, const std::string& observer,
                       double percentile, const std::string& activations, const std::string& rounding,
                       bool clip_weights, bool correct_bias, bool balance, const std::vector<std::string>& keep,
                       int threads, nb::object progress) {
  QuantizeRequest request;
  request.model = ModelOf(model, folder);
  request.output = output;
  request.data = data;
  request.format = format;
  request.observer = observer;
  request.percentile = percentile;
  request.activations = activations;
  request.rounding = rounding;
  request.clip_weights = clip_weights;
  request.correct_bias = correct_bias;
  request.balance = balance;
  request.keep = keep;
  request.threads = threads;
  Work work(std::move(progress));
  std::string json;
  work.Run([&] { json = ToJson(UnwrapVerb(QuantizeModel(request, HooksOf(&work)))); });
  return nb::str(json.data(), json.size());
}

// Engine and report. A missed budget raises unless the closest network is wanted.
nb::tuple Optimize(const nb::object& model, const std::string& folder, const std::string& output,
                   const SampleRequest& data, std::optional<std::vector<int64_t>> labels,
                   std::optional<double> min_agreement, std::optional<double> max_drop, const std::string& precision,
                   const std::string& method, const std::string& observer, const std::vector<std::string>& keep,
                   std::optional<bool> permute, const std::vector<Profiles>& profiles, int threads,
                   const std::string& report, bool unseen, bool write_closest, nb::object progress) {
  OptimizeRequest request;
  request.model = ModelOf(model, folder);
  request.output = output;
  request.report = report;
  request.data = data;
  request.labels.classes = std::move(labels);
  request.min_agreement = min_agreement;
  request.max_drop = max_drop;
  request.precision = precision;
  request.method = method;
  request.observer = observer;
  request.keep = keep;
  request.permute = permute;
  for (const Profiles& profile : profiles) request.profiles.push_back(Ranges(profile));
  request.unseen = unseen;
  request.write_closest = write_closest;
  request.threads = threads;
  request.command = "tamis.optimize in Python";
  Work work(std::move(progress));
  OptimizeOutcome outcome;
  std::string json;
  work.Run([&] {
    outcome = UnwrapVerb(OptimizeModel(request, HooksOf(&work)));
    if (!outcome.written) CheckVerb(outcome.Verdict());
    json = ToJson(outcome);
  });
  return nb::make_tuple(PyEngine{outcome.result.engine, {}, outcome.result.notices}, nb::str(json.data(), json.size()));
}

nb::str Gate(const nb::object& dense, const nb::object& candidate, const SampleRequest& data,
             std::optional<std::vector<int64_t>> labels, const std::string& output, double max_drop,
             std::optional<double> min_agreement, std::optional<double> min_same,
             std::optional<double> max_latency_ratio, bool strict, const std::string& junit, uint64_t seed,
             int resamples, int64_t batch, double seconds, const std::string& precision, const std::string& device,
             int threads, nb::object progress) {
  GateRequest request;
  request.dense = ModelOf(dense, ".");
  request.candidate = ModelOf(candidate, ".");
  request.data = data;
  request.labels.classes = std::move(labels);
  request.options.output = output;
  request.options.max_drop = max_drop;
  request.options.min_agreement = min_agreement;
  request.options.min_same = min_same;
  request.options.max_latency_ratio = max_latency_ratio;
  request.options.strict = strict;
  request.options.bootstrap.seed = seed;
  request.options.bootstrap.resamples = resamples;
  request.options.latency_seconds = seconds;
  request.batch = batch;
  request.device = device;
  request.junit = junit;
  request.precision = precision;
  request.threads = threads;
  Work work(std::move(progress));
  std::string json;
  work.Run([&] {
    const GateOutcome outcome = UnwrapVerb(GateModels(request, HooksOf(&work)));
    json = GateJson(outcome.context, outcome.result);
  });
  return nb::str(json.data(), json.size());
}

// Samples opened for two sessions with the same inputs.
struct PyBatches {
  std::shared_ptr<const DataSource> source;
  std::vector<SampleBatch> batches;

  const SampleBatch& At(size_t index) const {
    if (index >= batches.size()) throw nb::index_error();
    return batches[index];
  }
};

PyBatches OpenBatches(const PySession& a, const PySession& b, const SampleRequest& data) {
  PyBatches opened;
  opened.source = UnwrapVerb(data.Open(b.session->inputs()));
  const std::array<const Session*, 2> both = {b.session.get(), a.session.get()};
  opened.batches = BatchesFor(both, *opened.source, AllSamples(*opened.source, data.samples));
  return opened;
}

nb::dict ReadBatch(const PyBatches& self, size_t index) {
  nb::dict arrays;
  for (const auto& [name, tensor] : Unwrap(self.source->Batch(self.At(index).samples))) {
    arrays[name.c_str()] = ArrayFromTensor(tensor);
  }
  return arrays;
}

void AddToComparison(OutputComparison& self, nb::handle a, nb::handle b) {
  Check(self.Add(TensorFromArray(a, "the output"), TensorFromArray(b, "the reference")));
}

}  // namespace

void DefineVerbs(nb::module_& module) {
  nb::class_<SampleRequest>(module, "Data");
  module.def("make_data", MakeData, nb::arg("source"), nb::arg("samples"), nb::arg("image_size"), nb::arg("mean"),
             nb::arg("std"));
  module.def("prune", PruneToFile, nb::arg("model"), nb::arg("folder"), nb::arg("output"), nb::arg("data"),
             nb::arg("labels").none(), nb::arg("method"), nb::arg("pattern"), nb::arg("keep"), nb::arg("quantize"),
             nb::arg("observer"), nb::arg("activations"), nb::arg("keep_float"), nb::arg("permute"), nb::arg("threads"),
             nb::arg("progress").none());
  module.def("quantize", QuantizeToFile, nb::arg("model"), nb::arg("folder"), nb::arg("output"), nb::arg("data"),
             nb::arg("format"), nb::arg("observer"), nb::arg("percentile"), nb::arg("activations"), nb::arg("rounding"),
             nb::arg("clip_weights"), nb::arg("correct_bias"), nb::arg("balance"), nb::arg("keep"), nb::arg("threads"),
             nb::arg("progress").none());
  module.def("optimize", Optimize, nb::arg("model"), nb::arg("folder"), nb::arg("output"), nb::arg("data"),
             nb::arg("labels").none(), nb::arg("min_agreement").none(), nb::arg("max_drop").none(),
             nb::arg("precision"), nb::arg("method"), nb::arg("observer"), nb::arg("keep"), nb::arg("permute"),
             nb::arg("profiles"), nb::arg("threads"), nb::arg("report"), nb::arg("unseen"), nb::arg("write_closest"),
             nb::arg("progress").none());
  module.def("gate", Gate, nb::arg("dense"), nb::arg("candidate"), nb::arg("data"), nb::arg("labels").none(),
             nb::arg("output"), nb::arg("max_drop"), nb::arg("min_agreement").none(), nb::arg("min_same").none(),
             nb::arg("max_latency_ratio").none(), nb::arg("strict"), nb::arg("junit"), nb::arg("seed"),
             nb::arg("resamples"), nb::arg("batch"), nb::arg("seconds"), nb::arg("precision"), nb::arg("device"),
             nb::arg("threads"), nb::arg("progress").none());
  nb::class_<PyBatches>(module, "Batches")
      .def("__len__", [](const PyBatches& self) { return self.batches.size(); })
      .def("__getitem__", ReadBatch, nb::arg("index"))
      .def_prop_ro("remarks", [](const PyBatches& self) { return self.source->remarks(); })
      .def("samples", [](const PyBatches& self, size_t index) { return self.At(index).samples.size(); })
      .def("repeated", [](const PyBatches& self, size_t index) { return self.At(index).repeated; });
  module.def("open_batches", OpenBatches, nb::arg("a"), nb::arg("b"), nb::arg("data"));
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
