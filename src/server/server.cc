#include "src/server/server.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "src/engine/engine.h"
#include "src/runtime/engine_session.h"

namespace tamis {
namespace {

bool OnGpu(const ServerOptions& options) {
  return options.session.device != "cpu";
}

// With batching a worker for each request of the runs under way and of the next ones: they mostly wait.
int WorkersFor(const ServerOptions& options) {
  if (options.http.workers > 0) return options.http.workers;
  const int cores = std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
  const int64_t rows = options.batching.max_rows > 0 ? options.batching.max_rows
                       : OnGpu(options)              ? kMostRowsByDefault
                                                     : 1;
  if (rows <= 1) return cores;
  const int64_t most = (options.batching.concurrent + 1) * rows;
  return std::max(cores, static_cast<int>(std::min<int64_t>(most, options.handler.max_concurrent)));
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  std::unique_ptr<Server> server(new Server);
  const auto remembered = std::make_shared<std::vector<ValueRecord>>();  // of the engine that was read last
  const auto open = [options, remembered](const std::string& path) -> Result<std::shared_ptr<Session>> {
    if (options.load) return options.load(path);
    TAMIS_ASSIGN_OR_RETURN(const EngineFile file,
                           ReadEngine(path, options.session.map_file ? ReadMode::kMap : ReadMode::kRead));
    *remembered = file.engine->provenance.values;
    return OpenSession(file, path, options.session);
  };
  const SessionLoader load = [options, open](const std::string& path) -> Result<std::shared_ptr<Session>> {
    TAMIS_ASSIGN_OR_RETURN(std::shared_ptr<Session> session, open(path));
    BatchingOptions batching = options.batching;
    if (batching.max_rows == 0) batching.max_rows = DefaultRows(*session, OnGpu(options));
    if (batching.max_rows <= 1 || !CanBatch(*session).ok()) return session;
    auto batches = std::make_shared<BatchingSession>(std::move(session), batching);
    if (OnGpu(options)) batches->WarmUp();
    return std::shared_ptr<Session>(std::move(batches));
  };
  const RecordLoader records = [remembered](const std::string&) { return std::exchange(*remembered, {}); };
  TAMIS_ASSIGN_OR_RETURN(server->repository_, Repository::Open(options.path, load, records));
  HandlerOptions handler = options.handler;
  handler.max_body_bytes = options.http.max_body_bytes;
  server->handler_ = std::make_unique<HttpHandler>(server->repository_.get(), &server->metrics_, handler);
  HttpServerOptions http = options.http;
  http.workers = server->workers_ = WorkersFor(options);
  TAMIS_ASSIGN_OR_RETURN(
      server->http_,
      HttpServer::Start(http, [h = server->handler_.get()](const HttpRequest& request) { return h->Handle(request); }));
  server->notice_ = options.notice;
  if (options.poll.count() > 0) {
    server->poller_ = std::thread([s = server.get(), every = options.poll] { s->Poll(every); });
  }
  return server;
}

Server::~Server() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  wake_.notify_all();
  if (poller_.joinable()) poller_.join();
}

void Server::Poll(std::chrono::milliseconds every) {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, every, [this] { return ended_; })) {
    lock.unlock();
    Refresh();
    lock.lock();
  }
}

void Server::Refresh() {
  for (const std::string& change : repository_->Refresh()) {
    if (notice_) notice_(change);
  }
}

void Server::Drain() {
  handler_->SetDraining();
}

void Server::Stop() {
  Drain();
  http_->Stop();
}

void Server::Wait() {
  http_->Wait();
}

int Server::port() const {
  return http_->port();
}

}  // namespace tamis
