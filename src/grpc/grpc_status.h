// A Status as gRPC has it.
#pragma once

#include <grpcpp/support/status.h>

#include <exception>
#include <new>
#include <string>

#include "tamis/status.h"

namespace tamis {

inline grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const bool user = status.kind() == ErrorKind::kUser;
  return {user ? grpc::StatusCode::INVALID_ARGUMENT : grpc::StatusCode::INTERNAL, status.message()};
}

// What `answer` returns, or what it throws as a status: no exception may leave a thread of gRPC's or a worker.
template <class Answer>
grpc::Status Guarded(const Answer& answer) {
  try {
    return answer();
  } catch (const std::bad_alloc&) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the server is out of memory for this request"};
  } catch (const std::exception& error) {
    return {grpc::StatusCode::INTERNAL, std::string("internal error: ") + error.what()};
  }
}

}  // namespace tamis
