#include "src/server/server.h"

namespace tamis {

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  std::unique_ptr<Server> server(new Server);
  const SessionLoader load = options.load ? options.load : [&options](const std::string& path) {
    return Session::Load(path, options.session);
  };
  TAMIS_ASSIGN_OR_RETURN(server->repository_, Repository::Open(options.path, load));
  HandlerOptions handler = options.handler;
  handler.max_body_bytes = options.http.max_body_bytes;
  server->handler_ = std::make_unique<HttpHandler>(server->repository_.get(), &server->metrics_, handler);
  TAMIS_ASSIGN_OR_RETURN(server->http_,
                         HttpServer::Start(options.http, [h = server->handler_.get()](const HttpRequest& request) {
                           return h->Handle(request);
                         }));
  return server;
}

Server::~Server() = default;

void Server::Stop() {
  handler_->SetDraining();
  http_->Stop();
}

void Server::Wait() {
  http_->Wait();
}

int Server::port() const {
  return http_->port();
}

}  // namespace tamis
