#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "src/base/atomic_file.h"
#include "src/base/json_writer.h"
#include "src/base/request_problems.h"
#include "src/cli/model_file.h"
#include "src/cli/session_flags.h"
#include "src/cli/verb.h"
#include "src/compiler/samples/npy.h"
#include "src/runtime/benchmark.h"
#include "src/runtime/tensor_specs.h"

namespace tamis {
namespace {

struct Flags {
  std::string file, output_dir, device = "cpu";
  std::vector<std::string> inputs, shapes;
  int threads = 0;
  uint64_t seed = 1;
  SessionFlags session;
};

struct Summary {
  double min = 0, max = 0, mean = 0;
  int64_t not_finite = 0;
};

Summary Summarise(const Tensor& tensor) {
  Summary summary;
  const Tensor wide = tensor.ToFloat32();
  double sum = 0;
  int64_t finite = 0;
  for (const float value : wide.Span<float>()) {
    if (!std::isfinite(value)) {
      ++summary.not_finite;
      continue;
    }
    summary.min = finite == 0 ? value : std::min(summary.min, static_cast<double>(value));
    summary.max = finite == 0 ? value : std::max(summary.max, static_cast<double>(value));
    sum += value;
    ++finite;
  }
  if (finite > 0) summary.mean = sum / static_cast<double>(finite);
  return summary;
}

// One string a line.
Result<Tensor> ReadLines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return UserError("can't open '{}'", path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (file.bad()) return RuntimeError("can't read '{}'", path);
  const auto count = static_cast<int64_t>(lines.size());
  return Tensor::Strings({count}, std::move(lines));
}

Status WriteLines(const std::string& path, const Tensor& tensor) {
  std::string text;
  for (const std::string& element : tensor.Span<std::string>()) text += element + "\n";
  return AtomicFile::WriteWhole(path, text);
}

// Lines have no shape: it follows from the network's where at most one dimension is dynamic.
Result<Tensor> Shaped(Tensor lines, const TensorSpec& spec) {
  Dims dims = spec.dims;
  int64_t known = 1;
  for (const int64_t dim : dims) known *= dim < 0 ? 1 : dim;
  const auto dynamic = std::count(dims.begin(), dims.end(), -1);
  for (int64_t& dim : dims) {
    if (dim < 0 && known > 0) dim = lines.NumElements() / known;
  }
  if (!spec.has_rank) return lines;
  if (dynamic > 1 || NumElements(dims) != lines.NumElements()) {
    return UserError("input '{}' wants {}, the file has {} lines", spec.name, ToString(spec.dims), lines.NumElements());
  }
  return lines.Reshaped(std::move(dims));
}

Result<Tensor> ReadInput(const std::string& path, const TensorSpec& spec) {
  if (path.ends_with(".txt")) {
    TAMIS_ASSIGN_OR_RETURN(Tensor lines, ReadLines(path));
    return spec.dtype == DType::kString ? Shaped(std::move(lines), spec) : lines;
  }
  TAMIS_ASSIGN_OR_RETURN(Tensor tensor, ReadNpy(path));
  return AsWritten(std::move(tensor), spec.dtype);
}

Result<NamedTensors> ReadInputs(const Flags& flags, const OpenedModel& model) {
  if (flags.inputs.empty()) {
    TAMIS_ASSIGN_OR_RETURN(const auto binding, ShapeBinding(model, flags.shapes));
    return RandomInputs(model.session->inputs(), binding, flags.seed);
  }
  const std::vector<TensorSpec>& specs = model.session->inputs();
  NamedTensors tensors;
  RequestProblems problems;
  std::set<std::string> seen;
  for (const std::string& input : flags.inputs) {
    const size_t equals = input.find('=');
    if (equals == std::string::npos || equals == 0) {
      problems.Need(false, "--input '{}' should read name=file.npy", input);
      continue;
    }
    const std::string name = input.substr(0, equals);
    const TensorSpec* const spec = FindSpec(specs, name);
    problems.Need(spec != nullptr, "--input '{}': the network has no such input; it has {}", name, NamesOf(specs));
    problems.Need(seen.insert(name).second, "--input '{}' is given twice", name);
    if (spec == nullptr) continue;
    auto tensor = ReadInput(input.substr(equals + 1), *spec);
    problems.Need(tensor.ok(), "--input '{}': {}", name, tensor.status().message());
    if (tensor.ok()) tensors[name] = std::move(*tensor);
  }
  for (const TensorSpec& spec : specs) {
    problems.Need(spec.optional || seen.count(spec.name) > 0, "input '{}' ({}) has no --input", spec.name,
                  spec.type.empty() ? std::string(Name(spec.dtype)) : spec.type);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return tensors;
}

// An output's name as a file name.
std::string FileName(const std::string& name) {
  std::string file = name;
  for (char& c : file) {
    if (c == '/' || c == '\0') c = '_';
  }
  return file;
}

NamedData AsData(const NamedTensors& tensors) {
  NamedData data;
  for (const auto& [name, tensor] : tensors) data.emplace(name, tensor);
  return data;
}

// A sequence's elements, as "name.0", "name.1", ..., take its place; an optional that holds nothing has no part.
void Flatten(const std::string& name, const Datum& datum, std::vector<std::pair<std::string, Tensor>>* tensors) {
  if (datum.IsTensor()) tensors->emplace_back(name, datum.tensor());
  for (size_t i = 0; i < datum.elements().size(); ++i) {
    Flatten(name + "." + std::to_string(i), datum.elements()[i], tensors);
  }
}

void Report(const std::string& name, const Tensor& tensor, bool print, JsonWriter* json) {
  json->BeginObject().Field("name", name).Field("dtype", Name(tensor.dtype())).Field("shape", tensor.dims());
  std::string facts;
  if (tensor.dtype() != DType::kString) {
    const Summary summary = Summarise(tensor);
    json->Field("min", summary.min).Field("max", summary.max).Field("mean", summary.mean);
    json->Field("not_finite", summary.not_finite);
    facts = fmt::format("min {:.6g}  max {:.6g}  mean {:.6g}{}", summary.min, summary.max, summary.mean,
                        summary.not_finite ? fmt::format("  {} not finite", summary.not_finite) : "");
  } else if (tensor.NumElements() > 0) {
    facts = "first " + JsonQuote(tensor.Data<std::string>()[0]);
  }
  json->EndObject();
  if (print) fmt::print("{:<24} {:<8} {:<20} {}\n", name, Name(tensor.dtype()), ToString(tensor.dims()), facts);
}

Status Run(const Flags& flags, const CommonFlags& common) {
  BuildOptions build;
  build.threads = flags.threads;
  build.device = flags.device;
  build.tune = false;  // one run is not worth tuning for
  SessionOptions session;
  TAMIS_RETURN_IF_ERROR(flags.session.Apply(&session));
  TAMIS_ASSIGN_OR_RETURN(const OpenedModel model, OpenModel(flags.file, build, session));
  TAMIS_ASSIGN_OR_RETURN(const NamedTensors inputs, ReadInputs(flags, model));
  TAMIS_ASSIGN_OR_RETURN(const NamedData outputs, model.session->RunData(AsData(inputs)));
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& [name, datum] : outputs) Flatten(name, datum, &tensors);
  if (!flags.output_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(flags.output_dir, error);
    if (error) return RuntimeError("can't make the folder '{}': {}", flags.output_dir, error.message());
    for (const auto& [name, tensor] : tensors) {
      const std::string path = flags.output_dir + "/" + FileName(name);
      TAMIS_RETURN_IF_ERROR(tensor.dtype() == DType::kString ? WriteLines(path + ".txt", tensor)
                                                             : WriteNpy(path + ".npy", tensor));
    }
  }
  JsonWriter json;
  json.BeginObject().Key("outputs").BeginArray();
  for (const auto& [name, tensor] : tensors) Report(name, tensor, !common.json, &json);
  json.EndArray().EndObject();
  if (common.json) fmt::print("{}\n", json.text());
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("FILE", flags->file, "Engine or ONNX file")->required();
  app.add_option(
      "--input", flags->inputs,
      "name=file.npy (strings: name=file.txt, one a line), once an input; without any: seeded random inputs");
  app.add_option("--output-dir", flags->output_dir,
                 "Folder for one .npy an output (a sequence: one an element; strings: .txt)");
  app.add_option("--shape", flags->shapes, "input=1x3x224x224, for random inputs with dynamic dimensions");
  app.add_option("--device", flags->device, "cpu, cuda or cuda:N");
  app.add_option("--threads", flags->threads, "Threads; 0: one for every core");
  DeclareSessionFlags(app, &flags->session);
  app.add_option("--seed", flags->seed, "Seed of random inputs");
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_run = {"run", "Run an engine or ONNX file once",
                              "tamis run model.tamis --input ids=ids.npy --input mask=mask.npy --output-dir out",
                              Declare};

}  // namespace tamis
