// The KServe v2 protocol over gRPC, beside a Server's HTTP: the same models, counts and limits.
//
// Status codes: INVALID_ARGUMENT what is wrong with the request, all of it listed; NOT_FOUND no such model or version;
// PERMISSION_DENIED what the server was not started to allow; UNAVAILABLE not ready, too busy, or the request's own
// timeout is over; RESOURCE_EXHAUSTED too large; UNIMPLEMENTED what is not offered; INTERNAL our fault. In a stream,
// errors of a request are its answer and the stream goes on.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "src/grpc/grpc_inference.h"
#include "src/server/server.h"
#include "tamis/status.h"

namespace tamis {

struct GrpcServerOptions {
  std::string host = "127.0.0.1";
  int port = 8001;  // 0: the system chooses
  size_t max_message_bytes = size_t{64} << 20;
  GrpcInferenceOptions inference;
  std::chrono::milliseconds drain_timeout{10'000};  // from Stop until the remaining calls are cut
};

// Thread-safe.
class GrpcServer {
 public:
  // Listening when it returns. `server` outlives it.
  static Result<std::unique_ptr<GrpcServer>> Start(Server* server, const GrpcServerOptions& options);
  ~GrpcServer();  // as Stop
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  int port() const;
  // No new calls; those at work are finished within drain_timeout. Returns when that is done.
  void Stop();

 private:
  class Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tamis
