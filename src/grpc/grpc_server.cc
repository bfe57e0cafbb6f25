#include "src/grpc/grpc_server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <limits>
#include <mutex>

#include "src/grpc/grpc_service.h"
#include "src/grpc/unknown_calls.h"

namespace tamis {
namespace {

constexpr int kKeepAliveMs = 60'000;
constexpr int kIdleMs = 300'000;           // of a connection without calls; clients connect anew as they need it
constexpr int kStreamsOfConnection = 256;  // HTTP/2's: calls at a time

// An IPv6 address stands in brackets before its port.
std::string Endpoint(const std::string& host, int port) {
  const bool bare_v6 = host.find(':') != std::string::npos && host.front() != '[';
  return (bare_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(Server* server, const GrpcServerOptions& options)
      : options_(options), inference_(server, options.inference), service_(server, &inference_), health_(server) {}

  Status Start() {
    grpc::ResourceQuota quota("tamis");
    quota.Resize(options_.inference.max_buffered_bytes);  // what has arrived of messages that are not whole yet
    grpc::ServerBuilder builder;
    builder.SetResourceQuota(quota);
    builder.SetMaxReceiveMessageSize(static_cast<int>(
        std::min<size_t>(options_.max_message_bytes, static_cast<size_t>(std::numeric_limits<int>::max()))));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsOfConnection);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMs);  // clients that are gone free their streams
    // Not shared with another process that happens to listen there.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(Endpoint(options_.host, options_.port), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    builder.RegisterService(&health_);
    builder.RegisterCallbackGenericService(&unknown_);
    server_ = builder.BuildAndStart();
    if (server_ != nullptr && port_ != 0) return {};
    return RuntimeError("cannot listen on {} port {} for gRPC: the port is taken, or the address is not this machine's",
                        options_.host, options_.port);
  }

  void Stop() {
    const std::lock_guard lock(mutex_);
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now() + options_.drain_timeout);
    server_->Wait();
    server_ = nullptr;
  }

  int port() const { return port_; }

 private:
  const GrpcServerOptions options_;
  GrpcInference inference_;  // goes when the calls have ended
  GrpcService service_;
  GrpcHealth health_;
  UnknownCalls unknown_;
  std::mutex mutex_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

Result<std::unique_ptr<GrpcServer>> GrpcServer::Start(Server* server, const GrpcServerOptions& options) {
  auto impl = std::make_unique<Impl>(server, options);
  TAMIS_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() {
  Stop();
}
int GrpcServer::port() const {
  return impl_->port();
}
void GrpcServer::Stop() {
  impl_->Stop();
}

}  // namespace tamis
