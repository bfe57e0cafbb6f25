// gRPC beside a Server's HTTP, in programs that were built with it.
#pragma once

#include <memory>
#include <string>

#include "src/server/server.h"
#include "tamis/status.h"

namespace tamis {

class GrpcEndpoint {
 public:
  virtual ~GrpcEndpoint() = default;  // as Stop
  virtual int port() const = 0;
  // No new calls; returns when those at work are finished.
  virtual void Stop() = 0;
};

// Listening when it returns. `server`, which was started with `options`, outlives it. port 0: the system chooses.
// kUser where the program has no gRPC.
Result<std::unique_ptr<GrpcEndpoint>> StartGrpc(Server* server, const ServerOptions& options, int port);

}  // namespace tamis
