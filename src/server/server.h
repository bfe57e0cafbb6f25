// The server: a model repository, which may change while it is served, behind the KServe v2 protocol over HTTP/1.1.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "src/server/batching/batching_session.h"
#include "src/server/protocol/http_handler.h"
#include "src/server/repository.h"
#include "src/server/transport/http_server.h"

namespace tamis {

struct ServerOptions {
  std::string path;  // an engine file, or a repository <model>/<version>/model.tamis
  HttpServerOptions http;
  HandlerOptions handler;  // max_body_bytes follows http.max_body_bytes
  SessionOptions session = {.threads = 0, .map_file = false};
  BatchingOptions batching = {.max_rows = 1};      // above one row: of the sessions that pass CanBatch
  SessionLoader load;                              // empty: Session::Load with `session`
  std::chrono::milliseconds poll{0};               // how often the repository is looked at for changes; 0: never
  std::function<void(const std::string&)> notice;  // told what changes while it serves; from a thread of its own
};

// Thread-safe.
class Server {
 public:
  // Loads every model, then listens. Fails if there is no model at all or the port is taken.
  static Result<std::unique_ptr<Server>> Start(const ServerOptions& options);
  ~Server();

  // Looks at the repository for changes now. Not for signal handlers.
  void Refresh();
  // Not ready from now on, so that balancers send no more; all requests are still answered.
  void Drain();
  // Not ready from now on; requests at work are finished within http.drain_timeout. Not for signal handlers: those set
  // a flag, or signals are waited for on a thread.
  void Stop();
  // Returns when a stop is complete.
  void Wait();
  size_t cut_off() const { return http_->cut_off(); }  // as HttpServer's
  int port() const;

  // For other protocols beside HTTP.
  bool Ready() const { return handler_->Ready(); }
  bool model_control() const { return handler_->options().model_control; }
  Repository& repository() { return *repository_; }
  Metrics& metrics() { return metrics_; }
  int workers() const { return workers_; }  // that answer requests, of each protocol
  Admission& admission() { return handler_->admission(); }
  SharedMemory* shared_memory() { return handler_->shared_memory(); }  // nullptr if it is not offered
  // What is offered, broken models with their reason.
  std::vector<ModelVersionPtr> models() const { return repository_->All(); }

 private:
  Server() = default;
  void Poll(std::chrono::milliseconds every);

  std::unique_ptr<Repository> repository_;
  Metrics metrics_;
  int workers_ = 0;
  std::unique_ptr<HttpHandler> handler_;
  std::function<void(const std::string&)> notice_;
  std::unique_ptr<HttpServer> http_;  // stops before the rest goes
  std::mutex mutex_;                  // guards `ended_`
  std::condition_variable wake_;
  bool ended_ = false;
  std::thread poller_;
};

}  // namespace tamis
