#include "src/grpc/grpc_service.h"

#include <chrono>

#include "src/base/version.h"
#include "src/grpc/grpc_request.h"
#include "src/grpc/grpc_status.h"
#include "src/server/protocol/model_json.h"
#include "src/server/protocol/tensor_check.h"

namespace tamis {
namespace {

using grpc::StatusCode;

// HTTP's codes label the metrics whichever protocol a request came by.
int HttpCode(const grpc::Status& status) {
  switch (status.error_code()) {
    case StatusCode::OK:
      return 200;
    case StatusCode::INVALID_ARGUMENT:
      return 400;
    case StatusCode::CANCELLED:
    case StatusCode::DEADLINE_EXCEEDED:
      return 499;  // as others write "the client has gone"
    case StatusCode::UNAVAILABLE:
      return 503;
    default:
      return 500;
  }
}

// The version that a call is about; `must_be_ready` or not.
grpc::Status Find(const Repository& repository, const std::string& name, const std::string& version, bool must_be_ready,
                  ModelVersionPtr* found) {
  *found = repository.Find(name, version);
  if (*found == nullptr) {
    const bool known = !repository.Find(name).empty();
    return {StatusCode::NOT_FOUND,
            known ? "the model has no version '" + Short(version) + "'" : "there is no model '" + Short(name) + "'"};
  }
  if ((*found)->ready() || !must_be_ready) return grpc::Status::OK;
  return {StatusCode::UNAVAILABLE,
          fmt::format("model '{}' version {} is not ready: {}", name, (*found)->version, (*found)->reason)};
}

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
  Set(parts->mutable_queue(), totals.succeeded, 0);
  Set(parts->mutable_compute_input(), totals.succeeded, totals.read_seconds);
  Set(parts->mutable_compute_infer(), totals.succeeded, totals.compute_seconds);
  Set(parts->mutable_compute_output(), totals.succeeded, totals.write_seconds);
}

grpc::Status NoControl() {
  return {StatusCode::PERMISSION_DENIED, kNoModelControl};
}

}  // namespace

grpc::Status GrpcService::ServerLive(grpc::ServerContext*, const inference::ServerLiveRequest*,
                                     inference::ServerLiveResponse* response) {
  response->set_live(true);
  return grpc::Status::OK;
}

grpc::Status GrpcService::ServerReady(grpc::ServerContext*, const inference::ServerReadyRequest*,
                                      inference::ServerReadyResponse* response) {
  response->set_ready(server_.Ready());
  return grpc::Status::OK;
}

grpc::Status GrpcService::ModelReady(grpc::ServerContext*, const inference::ModelReadyRequest* request,
                                     inference::ModelReadyResponse* response) {
  const ModelVersionPtr model = server_.repository().Find(request->name(), request->version());
  response->set_ready(model != nullptr && model->ready());
  return grpc::Status::OK;
}

grpc::Status GrpcService::ServerMetadata(grpc::ServerContext*, const inference::ServerMetadataRequest*,
                                         inference::ServerMetadataResponse* response) {
  response->set_name("tamis");
  response->set_version(std::string(kVersion));
  for (const std::string& extension : ProtocolExtensions(server_.shared_memory() != nullptr)) {
    response->add_extensions(extension);
  }
  return grpc::Status::OK;
}

grpc::Status GrpcService::ModelMetadata(grpc::ServerContext*, const inference::ModelMetadataRequest* request,
                                        inference::ModelMetadataResponse* response) {
  ModelVersionPtr model;
  if (auto status = Find(server_.repository(), request->name(), request->version(), true, &model); !status.ok()) {
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

grpc::Status GrpcService::ModelInfer(grpc::ServerContext* context, const inference::ModelInferRequest* request,
                                     inference::ModelInferResponse* response) {
  return Infer(context, *request, response);
}

grpc::Status GrpcService::ModelStreamInfer(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<inference::ModelStreamInferResponse, inference::ModelInferRequest>* stream) {
  const Admission::Place place(&streams_);
  if (!place.got()) return {StatusCode::RESOURCE_EXHAUSTED, "the server holds as many streams as it may"};
  inference::ModelInferRequest request;
  while (stream->Read(&request)) {
    inference::ModelStreamInferResponse response;
    const grpc::Status status = Infer(context, request, response.mutable_infer_response());
    if (!status.ok()) {
      response.mutable_infer_response()->Clear();
      response.mutable_infer_response()->set_id(request.id());  // tells the client whose answer it is
      response.set_error_message(status.error_message());
    }
    if (!stream->Write(response)) break;
  }
  return grpc::Status::OK;
}

grpc::Status GrpcService::Infer(grpc::ServerContext* context, const inference::ModelInferRequest& request,
                                inference::ModelInferResponse* response) {
  ModelVersionPtr model;
  if (auto status = Find(server_.repository(), request.model_name(), request.model_version(), true, &model);
      !status.ok()) {
    return status;
  }
  InferenceRecord record(&server_.metrics(), *model);
  record.outcome.request_bytes = request.ByteSizeLong();
  const auto answer = [&]() -> grpc::Status {
    const Admission::Place place(&server_.admission());
    if (!place.got()) return {StatusCode::UNAVAILABLE, kTooBusy};
    // Nobody waits for the answer any more: a deadline has passed, or the client has gone.
    if (context->IsCancelled()) return {StatusCode::CANCELLED, "the request was given up"};
    const auto start = std::chrono::steady_clock::now();
    const auto parsed = ParseGrpcRequest(request, *model->session, server_.shared_memory());
    record.outcome.read_seconds = SecondsSince(start);
    if (!parsed.ok()) return ToGrpc(parsed.status());
    const auto outputs = ComputeInference(*model, *parsed, &record.outcome);
    if (!outputs.ok()) return ToGrpc(outputs.status());
    const auto write_start = std::chrono::steady_clock::now();
    const Status made = MakeGrpcResponse(*parsed, *outputs, model->model, model->version, response);
    record.outcome.write_seconds = SecondsSince(write_start);
    return ToGrpc(made);
  };
  grpc::Status status;
  try {
    status = answer();
  } catch (const std::bad_alloc&) {
    status = {StatusCode::RESOURCE_EXHAUSTED, "the server is out of memory for this request"};
  }
  record.outcome.code = HttpCode(status);
  record.outcome.response_bytes = response->ByteSizeLong();
  return status;
}

grpc::Status GrpcService::ModelConfig(grpc::ServerContext*, const inference::ModelConfigRequest* request,
                                      inference::ModelConfigResponse* response) {
  ModelVersionPtr model;
  if (auto status = Find(server_.repository(), request->name(), request->version(), true, &model); !status.ok()) {
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

grpc::Status GrpcService::ModelStatistics(grpc::ServerContext*, const inference::ModelStatisticsRequest* request,
                                          inference::ModelStatisticsResponse* response) {
  std::vector<ModelVersionPtr> versions;
  if (request->name().empty()) {
    versions = server_.repository().All();
  } else {
    ModelVersionPtr model;
    if (auto status = Find(server_.repository(), request->name(), request->version(), false, &model); !status.ok()) {
      return status;
    }
    versions = request->version().empty() ? server_.repository().Find(request->name()) : std::vector{model};
  }
  for (const ModelVersionPtr& version : versions) {
    if (version->ready()) AddStatistics(*version, server_.metrics(), response);
  }
  return grpc::Status::OK;
}

grpc::Status GrpcService::RepositoryIndex(grpc::ServerContext*, const inference::RepositoryIndexRequest* request,
                                          inference::RepositoryIndexResponse* response) {
  for (const ModelVersionPtr& version : server_.repository().All()) {
    if (request->ready() && !version->ready()) continue;
    auto* model = response->add_models();
    model->set_name(version->model);
    model->set_version(version->version);
    model->set_state(version->ready() ? "READY" : "UNAVAILABLE");
    model->set_reason(version->reason);
  }
  return grpc::Status::OK;
}

grpc::Status GrpcService::RepositoryModelLoad(grpc::ServerContext*,
                                              const inference::RepositoryModelLoadRequest* request,
                                              inference::RepositoryModelLoadResponse*) {
  return server_.model_control() ? ToGrpc(server_.repository().Load(request->model_name())) : NoControl();
}

grpc::Status GrpcService::RepositoryModelUnload(grpc::ServerContext*,
                                                const inference::RepositoryModelUnloadRequest* request,
                                                inference::RepositoryModelUnloadResponse*) {
  return server_.model_control() ? ToGrpc(server_.repository().Unload(request->model_name())) : NoControl();
}

grpc::Status GrpcHealth::Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
                               grpc::health::v1::HealthCheckResponse* response) {
  using Response = grpc::health::v1::HealthCheckResponse;
  const std::string& service = request->service();
  if (service.empty() || service == inference::GRPCInferenceService::service_full_name()) {
    response->set_status(server_.Ready() ? Response::SERVING : Response::NOT_SERVING);
    return grpc::Status::OK;
  }
  const ModelVersionPtr model = server_.repository().Find(service, "");
  if (model == nullptr) return {StatusCode::NOT_FOUND, "there is no service or model '" + Short(service) + "'"};
  response->set_status(model->ready() ? Response::SERVING : Response::NOT_SERVING);
  return grpc::Status::OK;
}

}  // namespace tamis
