// A Status as gRPC has it.
#pragma once

#include <grpcpp/support/status.h>

#include "tamis/status.h"

namespace tamis {

inline grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const bool user = status.kind() == ErrorKind::kUser;
  return {user ? grpc::StatusCode::INVALID_ARGUMENT : grpc::StatusCode::INTERNAL, status.message()};
}

}  // namespace tamis
