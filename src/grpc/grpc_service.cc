#include "src/grpc/grpc_service.h"

#include "src/base/version.h"
#include "src/grpc/find_model.h"
#include "src/grpc/grpc_status.h"
#include "src/server/protocol/model_json.h"
#include "src/server/protocol/tensor_check.h"

namespace tamis {
namespace {

using grpc::StatusCode;

template <class Repeated>
void AddMetadata(const std::vector<TensorSpec>& specs, Repeated* tensors) {
  for (const TensorSpec& spec : specs) {
    auto* tensor = tensors->Add();
    tensor->set_name(spec.name);
    tensor->set_datatype(DatatypeOf(spec));
    for (const int64_t dim : WholeShape(spec)) tensor->add_shape(dim);
  }
}

template <class Repeated>
void AddConfig(const std::vector<TensorSpec>& specs, Repeated* tensors) {
  for (const TensorSpec& spec : specs) {
    auto* tensor = tensors->Add();
    tensor->set_name(spec.name);
    inference::DataType type = inference::TYPE_INVALID;
    inference::DataType_Parse(ConfigTypeOf(spec), &type);
    tensor->set_data_type(type);
    for (const int64_t dim : WholeShape(spec)) tensor->add_dims(dim);
    if constexpr (requires { tensor->set_optional(true); }) tensor->set_optional(spec.optional);
  }
}

void Set(inference::StatisticDuration* duration, uint64_t count, double seconds) {
  duration->set_count(count);
  duration->set_ns(static_cast<uint64_t>(seconds * 1e9));
}

void AddStatistics(const ModelVersion& model, const Metrics& metrics, inference::ModelStatisticsResponse* response) {
  const Metrics::Totals totals = metrics.TotalsOf(model.model, model.version);
  auto* stats = response->add_model_stats();
  stats->set_name(model.model);
  stats->set_version(model.version);
  stats->set_last_inference(static_cast<uint64_t>(totals.last_ms));
  stats->set_inference_count(static_cast<uint64_t>(totals.rows));
  stats->set_execution_count(ExecutionsOf(model, totals));
  auto* parts = stats->mutable_inference_stats();
  Set(parts->mutable_success(), totals.succeeded, totals.succeeded_seconds);
  Set(parts->mutable_fail(), totals.failed, totals.failed_seconds);
  Set(parts->mutable_queue(), totals.succeeded, totals.queue_seconds);
  Set(parts->mutable_compute_input(), totals.succeeded, totals.read_seconds);
  Set(parts->mutable_compute_infer(), totals.succeeded, totals.compute_seconds);
  Set(parts->mutable_compute_output(), totals.succeeded, totals.write_seconds);
}

grpc::Status NoControl() {
  return {StatusCode::PERMISSION_DENIED, kNoModelControl};
}

}  // namespace

grpc::Status GrpcService::Answer(const inference::ServerLiveRequest&, inference::ServerLiveResponse* response) {
  response->set_live(true);
  return grpc::Status::OK;
}

grpc::Status GrpcService::Answer(const inference::ServerReadyRequest&, inference::ServerReadyResponse* response) {
  response->set_ready(server_.Ready());
  return grpc::Status::OK;
}

grpc::Status GrpcService::Answer(const inference::ModelReadyRequest& request, inference::ModelReadyResponse* response) {
  const ModelVersionPtr model = server_.repository().Find(request.name(), request.version());
  response->set_ready(model != nullptr && model->ready());
  return grpc::Status::OK;
}

grpc::Status GrpcService::Answer(const inference::ServerMetadataRequest&, inference::ServerMetadataResponse* response) {
  response->set_name("tamis");
  response->set_version(std::string(kVersion));
  for (const std::string& extension : ProtocolExtensions(server_.shared_memory() != nullptr)) {
    response->add_extensions(extension);
  }
  return grpc::Status::OK;
}

grpc::Status GrpcService::Answer(const inference::ModelMetadataRequest& request,
                                 inference::ModelMetadataResponse* response) {
  ModelVersionPtr model;
  if (auto status = FindModel(server_.repository(), request.name(), request.version(), true, &model); !status.ok()) {
    return status;
  }
  response->set_name(model->model);
  for (const ModelVersionPtr& version : server_.repository().Find(model->model)) {
    response->add_versions(version->version);
  }
  response->set_platform("tamis");
  AddMetadata(model->session->inputs(), response->mutable_inputs());
  AddMetadata(model->session->outputs(), response->mutable_outputs());
  return grpc::Status::OK;
}

grpc::Status GrpcService::Answer(const inference::ModelConfigRequest& request,
                                 inference::ModelConfigResponse* response) {
  ModelVersionPtr model;
  if (auto status = FindModel(server_.repository(), request.name(), request.version(), true, &model); !status.ok()) {
    return status;
  }
  auto* config = response->mutable_config();
  config->set_name(model->model);
  config->set_platform("tamis");
  config->set_backend("tamis");
  AddConfig(model->session->inputs(), config->mutable_input());
  AddConfig(model->session->outputs(), config->mutable_output());
  return grpc::Status::OK;
}

grpc::Status GrpcService::Answer(const inference::ModelStatisticsRequest& request,
                                 inference::ModelStatisticsResponse* response) {
  std::vector<ModelVersionPtr> versions;
  if (request.name().empty()) {
    versions = server_.repository().All();
  } else {
    ModelVersionPtr model;
    if (auto status = FindModel(server_.repository(), request.name(), request.version(), false, &model); !status.ok()) {
      return status;
    }
    versions = request.version().empty() ? server_.repository().Find(request.name()) : std::vector{model};
  }
  for (const ModelVersionPtr& version : versions) {
    if (version->ready()) AddStatistics(*version, server_.metrics(), response);
  }
  return grpc::Status::OK;
}

grpc::Status GrpcService::Answer(const inference::RepositoryIndexRequest& request,
                                 inference::RepositoryIndexResponse* response) {
  for (const ModelVersionPtr& version : server_.repository().All()) {
    if (request.ready() && !version->ready()) continue;
    auto* model = response->add_models();
    model->set_name(version->model);
    model->set_version(version->version);
    model->set_state(version->ready() ? "READY" : "UNAVAILABLE");
    model->set_reason(version->reason);
  }
  return grpc::Status::OK;
}

grpc::Status GrpcService::Answer(const inference::RepositoryModelLoadRequest& request,
                                 inference::RepositoryModelLoadResponse*) {
  if (!server_.model_control()) return NoControl();
  RequestFaults faults;
  for (const auto& [name, value] : request.parameters()) {
    faults.Add(fmt::format("parameter '{}' {}", Short(name), kNoOverride));
  }
  return ToGrpc(faults.empty() ? server_.repository().Load(request.model_name()) : faults.status());
}

grpc::Status GrpcService::Answer(const inference::RepositoryModelUnloadRequest& request,
                                 inference::RepositoryModelUnloadResponse*) {
  return server_.model_control() ? ToGrpc(server_.repository().Unload(request.model_name())) : NoControl();
}

grpc::ServerUnaryReactor* GrpcHealth::Check(grpc::CallbackServerContext* context,
                                            const grpc::health::v1::HealthCheckRequest* request,
                                            grpc::health::v1::HealthCheckResponse* response) {
  using Response = grpc::health::v1::HealthCheckResponse;
  const auto answer = [&]() -> grpc::Status {
    const std::string& service = request->service();
    if (service.empty() || service == inference::GRPCInferenceService::service_full_name()) {
      response->set_status(server_.Ready() ? Response::SERVING : Response::NOT_SERVING);
      return grpc::Status::OK;
    }
    const ModelVersionPtr model = server_.repository().Find(service, "");
    if (model == nullptr) return {StatusCode::NOT_FOUND, "there is no service or model '" + Short(service) + "'"};
    response->set_status(model->ready() ? Response::SERVING : Response::NOT_SERVING);
    return grpc::Status::OK;
  };
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(answer());
  return reactor;
}

}  // namespace tamis
