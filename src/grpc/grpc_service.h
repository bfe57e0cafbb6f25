// The calls of the KServe v2 protocol, answered from a Server's models.
#pragma once

#include "src/grpc/grpc_inference.h"
#include "src/grpc/grpc_status.h"
#include "src/grpc/health.grpc.pb.h"
#include "src/grpc/kserve.grpc.pb.h"
#include "src/server/server.h"

namespace tamis {

class GrpcService final : public inference::GRPCInferenceService::CallbackService {
 public:
  // Both outlive it.
  GrpcService(Server* server, GrpcInference* inference) : server_(*server), inference_(*inference) {}

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    return inference_.Infer(context, request, response);
  }
  grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>* ModelStreamInfer(
      grpc::CallbackServerContext* context) override {
    return inference_.Stream(context);
  }

// A call that is answered at once, by the Answer of its messages.
#define TAMIS_QUICK_CALL(name)                                                                                  \
  grpc::ServerUnaryReactor* name(grpc::CallbackServerContext* context, const inference::name##Request* request, \
                                 inference::name##Response* response) override {                                \
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();                                              \
    reactor->Finish(Answer(*request, response));                                                                \
    return reactor;                                                                                             \
  }
// One that a worker answers.
#define TAMIS_LONG_CALL(name)                                                                                          \
  grpc::ServerUnaryReactor* name(grpc::CallbackServerContext* context, const inference::name##Request* request,        \
                                 inference::name##Response* response) override {                                       \
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();                                                     \
    inference_.Post(                                                                                                   \
        [this, reactor, request, response] { reactor->Finish(Guarded([&] { return Answer(*request, response); })); }); \
    return reactor;                                                                                                    \
  }
  TAMIS_QUICK_CALL(ServerLive)
  TAMIS_QUICK_CALL(ServerReady)
  TAMIS_QUICK_CALL(ModelReady)
  TAMIS_QUICK_CALL(ServerMetadata)
  TAMIS_QUICK_CALL(ModelMetadata)
  TAMIS_QUICK_CALL(ModelConfig)
  TAMIS_QUICK_CALL(ModelStatistics)
  TAMIS_QUICK_CALL(RepositoryIndex)
  TAMIS_LONG_CALL(RepositoryModelLoad)
  TAMIS_LONG_CALL(RepositoryModelUnload)
  TAMIS_QUICK_CALL(SystemSharedMemoryStatus)
  TAMIS_QUICK_CALL(SystemSharedMemoryRegister)
  TAMIS_QUICK_CALL(SystemSharedMemoryUnregister)
  TAMIS_QUICK_CALL(CudaSharedMemoryStatus)
  TAMIS_QUICK_CALL(CudaSharedMemoryRegister)
  TAMIS_QUICK_CALL(CudaSharedMemoryUnregister)
#undef TAMIS_QUICK_CALL
#undef TAMIS_LONG_CALL

 private:
  grpc::Status Answer(const inference::ServerLiveRequest& request, inference::ServerLiveResponse* response);
  grpc::Status Answer(const inference::ServerReadyRequest& request, inference::ServerReadyResponse* response);
  grpc::Status Answer(const inference::ModelReadyRequest& request, inference::ModelReadyResponse* response);
  grpc::Status Answer(const inference::ServerMetadataRequest& request, inference::ServerMetadataResponse* response);
  grpc::Status Answer(const inference::ModelMetadataRequest& request, inference::ModelMetadataResponse* response);
  grpc::Status Answer(const inference::ModelConfigRequest& request, inference::ModelConfigResponse* response);
  grpc::Status Answer(const inference::ModelStatisticsRequest& request, inference::ModelStatisticsResponse* response);
  grpc::Status Answer(const inference::RepositoryIndexRequest& request, inference::RepositoryIndexResponse* response);
  grpc::Status Answer(const inference::RepositoryModelLoadRequest& request,
                      inference::RepositoryModelLoadResponse* response);
  grpc::Status Answer(const inference::RepositoryModelUnloadRequest& request,
                      inference::RepositoryModelUnloadResponse* response);
  grpc::Status Answer(const inference::SystemSharedMemoryStatusRequest& request,
                      inference::SystemSharedMemoryStatusResponse* response);
  grpc::Status Answer(const inference::SystemSharedMemoryRegisterRequest& request,
                      inference::SystemSharedMemoryRegisterResponse* response);
  grpc::Status Answer(const inference::SystemSharedMemoryUnregisterRequest& request,
                      inference::SystemSharedMemoryUnregisterResponse* response);
  grpc::Status Answer(const inference::CudaSharedMemoryStatusRequest& request,
                      inference::CudaSharedMemoryStatusResponse* response);
  grpc::Status Answer(const inference::CudaSharedMemoryRegisterRequest& request,
                      inference::CudaSharedMemoryRegisterResponse* response);
  grpc::Status Answer(const inference::CudaSharedMemoryUnregisterRequest& request,
                      inference::CudaSharedMemoryUnregisterResponse* response);

  Server& server_;
  GrpcInference& inference_;
};

class GrpcHealth final : public grpc::health::v1::Health::CallbackService {
 public:
  explicit GrpcHealth(Server* server) : server_(*server) {}
  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;

 private:
  Server& server_;
};

}  // namespace tamis
