#include "src/cli/grpc_endpoint.h"

#ifdef TAMIS_GRPC
#include "src/grpc/grpc_server.h"

namespace tamis {
namespace {

class Endpoint : public GrpcEndpoint {
 public:
  explicit Endpoint(std::unique_ptr<GrpcServer> server) : server_(std::move(server)) {}
  int port() const override { return server_->port(); }
  void Stop() override { server_->Stop(); }

 private:
  std::unique_ptr<GrpcServer> server_;
};

}  // namespace

Result<std::unique_ptr<GrpcEndpoint>> StartGrpc(Server* server, const ServerOptions& options, int port) {
  GrpcServerOptions grpc;
  grpc.host = options.http.host;
  grpc.port = port;
  grpc.max_message_bytes = options.http.max_body_bytes;
  grpc.inference.workers = server->workers();
  grpc.inference.max_buffered_bytes = options.http.max_buffered_bytes;
  grpc.inference.send_timeout = options.http.write_timeout;
  grpc.drain_timeout = options.http.drain_timeout;
  TAMIS_ASSIGN_OR_RETURN(std::unique_ptr<GrpcServer> started, GrpcServer::Start(server, grpc));
  return std::unique_ptr<GrpcEndpoint>(std::make_unique<Endpoint>(std::move(started)));
}

}  // namespace tamis

#else

namespace tamis {

Result<std::unique_ptr<GrpcEndpoint>> StartGrpc(Server*, const ServerOptions&, int) {
  return UserError("--grpc-port: this program was built without gRPC (with -DTAMIS_GRPC=ON it has it)");
}

}  // namespace tamis

#endif
