// GrpcService's calls of the shared memory extensions.
#include "src/grpc/grpc_service.h"
#include "src/grpc/grpc_status.h"
#include "src/server/protocol/tensor_check.h"

namespace tamis {
namespace {

using grpc::StatusCode;

grpc::Status NoRegion(const std::string& name) {
  return {StatusCode::NOT_FOUND, "no shared memory region '" + Short(name) + "' is registered"};
}

}  // namespace

grpc::Status GrpcService::Answer(const inference::SystemSharedMemoryStatusRequest& request,
                                 inference::SystemSharedMemoryStatusResponse* response) {
  const SharedMemory* memory = server_.shared_memory();
  if (memory == nullptr) return {StatusCode::PERMISSION_DENIED, kNoSharedMemory};
  for (const SharedRegion& region : memory->Regions(request.name())) {
    auto& status = (*response->mutable_regions())[region.name];
    status.set_name(region.name);
    status.set_key(region.key);
    status.set_offset(region.offset);
    status.set_byte_size(region.byte_size);
  }
  return request.name().empty() || response->regions_size() > 0 ? grpc::Status::OK : NoRegion(request.name());
}

grpc::Status GrpcService::Answer(const inference::SystemSharedMemoryRegisterRequest& request,
                                 inference::SystemSharedMemoryRegisterResponse*) {
  SharedMemory* memory = server_.shared_memory();
  if (memory == nullptr) return {StatusCode::PERMISSION_DENIED, kNoSharedMemory};
  return ToGrpc(memory->Register({request.name(), request.key(), request.offset(), request.byte_size()}));
}

grpc::Status GrpcService::Answer(const inference::SystemSharedMemoryUnregisterRequest& request,
                                 inference::SystemSharedMemoryUnregisterResponse*) {
  SharedMemory* memory = server_.shared_memory();
  if (memory == nullptr) return {StatusCode::PERMISSION_DENIED, kNoSharedMemory};
  request.name().empty() ? memory->UnregisterAll() : memory->Unregister(request.name());
  return grpc::Status::OK;
}

grpc::Status GrpcService::Answer(const inference::CudaSharedMemoryStatusRequest& request,
                                 inference::CudaSharedMemoryStatusResponse*) {
  return request.name().empty() ? grpc::Status::OK : NoRegion(request.name());
}

grpc::Status GrpcService::Answer(const inference::CudaSharedMemoryRegisterRequest&,
                                 inference::CudaSharedMemoryRegisterResponse*) {
  return {StatusCode::UNIMPLEMENTED, kNoCudaSharedMemory};
}

// There is none: clients that begin by unregistering theirs may.
grpc::Status GrpcService::Answer(const inference::CudaSharedMemoryUnregisterRequest&,
                                 inference::CudaSharedMemoryUnregisterResponse*) {
  return grpc::Status::OK;
}

}  // namespace tamis
