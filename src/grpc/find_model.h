// The version of a model that a call is about.
#pragma once

#include <fmt/format.h>
#include <grpcpp/support/status.h>

#include <string>

#include "src/server/protocol/tensor_check.h"
#include "src/server/repository.h"

namespace tamis {

// NOT_FOUND if there is none, UNAVAILABLE if it `must_be_ready` and is not.
inline grpc::Status FindModel(const Repository& repository, const std::string& name, const std::string& version,
                              bool must_be_ready, ModelVersionPtr* found) {
  using grpc::StatusCode;
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

}  // namespace tamis
