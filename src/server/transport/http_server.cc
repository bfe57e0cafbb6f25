#include "src/server/transport/http_server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "src/server/transport/http_connection.h"

namespace tamis {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

int Cores() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// One thread with its connections. All but Add, Stop and Join run on it.
class IoThread {
 public:
  struct Shared {
    std::atomic<size_t> connections{0}, buffered_bytes{0}, cut_off{0};
  };

  IoThread(const HttpServerOptions& options, const HttpServer::Answer& answer, asio::thread_pool* workers,
           Shared* shared)
      : options_(options), shared_(*shared), work_(asio::make_work_guard(io_)), drain_timer_(io_) {
    context_.options = options;
    context_.answer = answer;
    context_.workers = workers;
    context_.closed = [this](HttpConnection* connection) { Forget(connection); };
    context_.buffered_bytes = &shared->buffered_bytes;
  }

  void Start(std::function<void()> ended) {
    thread_ = std::thread([this, ended = std::move(ended)] {
      Loop();
      ended();
    });
  }
  asio::io_context& io() { return io_; }

  // A connection that `shared` counts already.
  void Add(tcp::socket socket) {
    asio::post(io_, [this, socket = std::move(socket)]() mutable {
      auto connection = std::make_shared<HttpConnection>(std::move(socket), &context_);
      connections_.insert(connection);
      connection->Start();
    });
  }
  // No connections may be added any more.
  void Stop() {
    asio::post(io_, [this] { BeginStop(); });
  }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Loop() {
    for (bool finished = false; !finished;) {
      try {
        io_.run();
        finished = true;
      } catch (const std::exception&) {
        // No memory for one connection's next step; the others go on.
      }
    }
  }

  void Forget(HttpConnection* connection) {
    connections_.erase(connection->shared_from_this());
    --shared_.connections;
    if (context_.stopping && connections_.empty()) drain_timer_.cancel();
  }

  void BeginStop() {
    if (context_.stopping) return;
    context_.stopping = true;
    work_.reset();
    const auto open = connections_;
    for (const auto& connection : open) connection->CloseIfIdle();
    if (connections_.empty()) return;
    drain_timer_.expires_after(options_.drain_timeout);
    drain_timer_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      const auto late = connections_;
      shared_.cut_off += late.size();
      for (const auto& connection : late) connection->Close();
    });
  }

  const HttpServerOptions options_;
  Shared& shared_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer drain_timer_;
  HttpConnection::Context context_;
  std::set<std::shared_ptr<HttpConnection>> connections_;
  std::thread thread_;
};

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const HttpServerOptions& options, const Answer& answer)
      : options_(options),
        workers_(static_cast<size_t>(options.workers > 0 ? options.workers : std::max(2, Cores()))),
        running_(options.io_threads > 0 ? options.io_threads : std::clamp(Cores() / 4, 1, 8)) {
    for (int i = 0; i < running_; ++i) {
      threads_.push_back(std::make_unique<IoThread>(options, answer, &workers_, &shared_));
    }
    acceptor_.emplace(threads_[0]->io());
    retry_timer_.emplace(threads_[0]->io());
  }

  Status Listen() {
    boost::system::error_code error;
    const auto found = tcp::resolver(threads_[0]->io()).resolve(options_.host, "", tcp::resolver::passive, error);
    if (error || found.empty()) {
      return UserError("'{}' is neither an IP address nor the name of one to listen on: {}", options_.host,
                       error.message());
    }
    const asio::ip::address address = found.begin()->endpoint().address();
    if (options_.port < 0 || options_.port > 65535) return UserError("port {} does not exist", options_.port);
    const tcp::endpoint endpoint(address, static_cast<uint16_t>(options_.port));
    const auto failed = [&] {
      return RuntimeError("cannot listen on {} port {}: {}", options_.host, options_.port, error.message());
    };
    if (acceptor_->open(endpoint.protocol(), error)) return failed();
    if (acceptor_->set_option(asio::socket_base::reuse_address(true), error)) return failed();
    if (acceptor_->bind(endpoint, error)) return failed();
    if (acceptor_->listen(asio::socket_base::max_listen_connections, error)) return failed();
    port_ = acceptor_->local_endpoint(error).port();
    Accept();
    for (const auto& thread : threads_) thread->Start([this] { Ended(); });
    return {};
  }

  int port() const { return port_; }

  void Stop() {
    // On the accepting thread, so that nothing is accepted for a thread that has been told to stop.
    asio::post(threads_[0]->io(), [this] {
      boost::system::error_code ignored;
      acceptor_->close(ignored);
      retry_timer_->cancel();
      stopping_ = true;
      for (const auto& thread : threads_) thread->Stop();
    });
  }

  void Wait() {
    std::unique_lock lock(mutex_);
    stopped_.wait(lock, [this] { return running_ == 0; });
  }

  void Join() {
    for (const auto& thread : threads_) thread->Join();
  }

  size_t cut_off() const { return shared_.cut_off; }

 private:
  void Ended() {
    const std::lock_guard lock(mutex_);
    if (running_ == 1) workers_.join();
    --running_;
    stopped_.notify_all();
  }

  void Accept() {
    const size_t turn = next_++ % threads_.size();
    acceptor_->async_accept(threads_[turn]->io(), [this, turn](boost::system::error_code error, tcp::socket socket) {
      if (stopping_ || error == asio::error::operation_aborted) return;
      if (error) {
        // Out of descriptors, most likely: trying again at once would spin.
        retry_timer_->expires_after(std::chrono::milliseconds(50));
        retry_timer_->async_wait([this](boost::system::error_code aborted) {
          if (!aborted && !stopping_) Accept();
        });
        return;
      }
      if (shared_.connections.fetch_add(1) < options_.max_connections) {
        threads_[turn]->Add(std::move(socket));
      } else {
        --shared_.connections;
      }
      Accept();
    });
  }

  const HttpServerOptions options_;
  IoThread::Shared shared_;
  asio::thread_pool workers_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  // Of the first thread, which accepts.
  std::optional<tcp::acceptor> acceptor_;
  std::optional<asio::steady_timer> retry_timer_;
  size_t next_ = 0;
  bool stopping_ = false;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable stopped_;
  int running_;  // threads
};

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options, const Answer& answer) {
  auto impl = std::make_unique<Impl>(options, answer);
  TAMIS_RETURN_IF_ERROR(impl->Listen());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  impl_->Stop();
  impl_->Join();
}

int HttpServer::port() const {
  return impl_->port();
}
size_t HttpServer::cut_off() const {
  return impl_->cut_off();
}
void HttpServer::Stop() {
  impl_->Stop();
}
void HttpServer::Wait() {
  impl_->Wait();
}

}  // namespace tamis
