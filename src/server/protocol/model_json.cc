#include "src/server/protocol/model_json.h"

#include "src/base/json_writer.h"
#include "src/server/batching/batching_session.h"
#include "src/server/protocol/tensor_check.h"

namespace tamis {

std::vector<std::string> ProtocolExtensions(bool shared_memory) {
  std::vector<std::string> extensions = {"binary_tensor_data", "classification", "model_configuration",
                                         "model_repository", "statistics"};
  if (shared_memory) extensions.emplace_back("system_shared_memory");
  return extensions;
}

std::string DatatypeOf(const TensorSpec& spec) {
  return CanTravel(spec) ? std::string(KserveName(spec.dtype)) : TypeOf(spec);
}

std::string ConfigTypeOf(const TensorSpec& spec) {
  if (!CanTravel(spec)) return "TYPE_INVALID";
  return "TYPE_" + std::string(spec.dtype == DType::kString ? "STRING" : KserveName(spec.dtype));
}

Dims WholeShape(const TensorSpec& spec) {
  return spec.has_rank ? spec.dims : Dims{-1};
}

uint64_t ExecutionsOf(const ModelVersion& model, const Metrics::Totals& totals) {
  const auto* batching = dynamic_cast<const BatchingSession*>(model.session.get());
  return batching != nullptr ? batching->runs() : totals.succeeded;
}

namespace {

void WriteDims(const TensorSpec& spec, JsonWriter* json) {
  json->BeginArray();
  for (const int64_t dim : WholeShape(spec)) json->Number(dim);
  json->EndArray();
}

void WriteSpecs(const char* key, const std::vector<TensorSpec>& specs, JsonWriter* json) {
  json->Key(key).BeginArray();
  for (const TensorSpec& spec : specs) {
    json->BeginObject().Key("name").String(spec.name).Key("datatype").String(DatatypeOf(spec)).Key("shape");
    WriteDims(spec, json);
    json->EndObject();
  }
  json->EndArray();
}

void WriteConfigs(const char* key, const std::vector<TensorSpec>& specs, JsonWriter* json) {
  json->Key(key).BeginArray();
  for (const TensorSpec& spec : specs) {
    json->BeginObject().Key("name").String(spec.name).Key("data_type").String(ConfigTypeOf(spec)).Key("dims");
    WriteDims(spec, json);
    if (spec.optional) json->Key("optional").Bool(true);
    json->EndObject();
  }
  json->EndArray();
}

void WriteDuration(const char* key, uint64_t count, double seconds, JsonWriter* json) {
  json->Key(key).BeginObject().Key("count").Number(count);
  json->Key("ns").Number(static_cast<uint64_t>(seconds * 1e9)).EndObject();
}

}  // namespace

std::string ModelMetadataJson(const ModelVersion& model, const std::vector<ModelVersionPtr>& versions) {
  JsonWriter json;
  json.BeginObject().Key("name").String(model.model).Key("versions").BeginArray();
  for (const ModelVersionPtr& version : versions) json.String(version->version);
  json.EndArray().Key("platform").String("tamis");
  WriteSpecs("inputs", model.session->inputs(), &json);
  WriteSpecs("outputs", model.session->outputs(), &json);
  json.EndObject();
  return json.Take();
}

std::string ModelConfigJson(const ModelVersion& model) {
  JsonWriter json;
  json.BeginObject().Key("name").String(model.model).Key("platform").String("tamis").Key("backend").String("tamis");
  json.Key("version_policy").BeginObject().Key("all").BeginObject().EndObject().EndObject();
  json.Key("max_batch_size").Number(int64_t{0});
  WriteConfigs("input", model.session->inputs(), &json);
  WriteConfigs("output", model.session->outputs(), &json);
  json.EndObject();
  return json.Take();
}

std::string ModelStatsJson(const std::vector<ModelVersionPtr>& versions, const Metrics& metrics) {
  JsonWriter json;
  json.BeginObject().Key("model_stats").BeginArray();
  for (const ModelVersionPtr& version : versions) {
    if (!version->ready()) continue;
    const Metrics::Totals totals = metrics.TotalsOf(version->model, version->version);
    json.BeginObject().Key("name").String(version->model).Key("version").String(version->version);
    json.Key("last_inference").Number(totals.last_ms).Key("inference_count").Number(totals.rows);
    json.Key("execution_count").Number(ExecutionsOf(*version, totals));
    json.Key("inference_stats").BeginObject();
    WriteDuration("success", totals.succeeded, totals.succeeded_seconds, &json);
    WriteDuration("fail", totals.failed, totals.failed_seconds, &json);
    WriteDuration("queue", totals.succeeded, totals.queue_seconds, &json);
    WriteDuration("compute_input", totals.succeeded, totals.read_seconds, &json);
    WriteDuration("compute_infer", totals.succeeded, totals.compute_seconds, &json);
    WriteDuration("compute_output", totals.succeeded, totals.write_seconds, &json);
    json.EndObject().Key("batch_stats").BeginArray().EndArray().EndObject();
  }
  json.EndArray().EndObject();
  return json.Take();
}

std::string RepositoryIndexJson(const std::vector<ModelVersionPtr>& versions, bool only_ready) {
  JsonWriter json;
  json.BeginArray();
  for (const ModelVersionPtr& model : versions) {
    if (only_ready && !model->ready()) continue;
    json.BeginObject().Key("name").String(model->model).Key("version").String(model->version);
    json.Key("state").String(model->ready() ? "READY" : "UNAVAILABLE").Key("reason").String(model->reason).EndObject();
  }
  json.EndArray();
  return json.Take();
}

}  // namespace tamis
