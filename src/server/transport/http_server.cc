#include "src/server/transport/http_server.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "src/server/transport/http_connection.h"

namespace tamis {

namespace asio = boost::asio;
using asio::ip::tcp;

class HttpServer::Impl {
 public:
  Impl(const HttpServerOptions& options, Answer answer)
      : options_(options), acceptor_(io_), drain_timer_(io_), retry_timer_(io_), workers_(Workers(options)) {
    context_.options = options;
    context_.answer = std::move(answer);
    context_.workers = &workers_;
    context_.closed = [this](HttpConnection* connection) { Forget(connection); };
  }

  Status Listen() {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(options_.host == "localhost" ? "127.0.0.1" : options_.host, error);
    if (error) return UserError("'{}' is not an IP address to listen on", options_.host);
    if (options_.port < 0 || options_.port > 65535) return UserError("port {} does not exist", options_.port);
    const tcp::endpoint endpoint(address, static_cast<uint16_t>(options_.port));
    const auto failed = [&] {
      return RuntimeError("cannot listen on {} port {}: {}", options_.host, options_.port, error.message());
    };
    if (acceptor_.open(endpoint.protocol(), error)) return failed();
    if (acceptor_.set_option(asio::socket_base::reuse_address(true), error)) return failed();
    if (acceptor_.bind(endpoint, error)) return failed();
    if (acceptor_.listen(asio::socket_base::max_listen_connections, error)) return failed();
    port_ = acceptor_.local_endpoint(error).port();
    Accept();
    thread_ = std::thread([this] { Loop(); });
    return {};
  }

  int port() const { return port_; }

  void Stop() {
    asio::post(io_, [this] { BeginStop(); });
  }

  void Wait() {
    std::unique_lock lock(mutex_);
    stopped_.wait(lock, [this] { return done_; });
  }

  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  static size_t Workers(const HttpServerOptions& options) {
    return options.workers > 0 ? static_cast<size_t>(options.workers)
                               : std::max<size_t>(2, std::thread::hardware_concurrency());
  }

  void Loop() {
    for (bool finished = false; !finished;) {
      try {
        io_.run();
        finished = true;
      } catch (const std::exception&) {
        // No memory for one connection's next step; the others go on.
      }
    }
    workers_.join();
    const std::lock_guard lock(mutex_);
    done_ = true;
    stopped_.notify_all();
  }

  void Accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (context_.stopping || error == asio::error::operation_aborted) return;
      if (error) {
        // Out of descriptors, most likely: trying again at once would spin.
        retry_timer_.expires_after(std::chrono::milliseconds(50));
        retry_timer_.async_wait([this](boost::system::error_code aborted) {
          if (!aborted && !context_.stopping) Accept();
        });
        return;
      }
      if (connections_.size() < options_.max_connections) {
        auto connection = std::make_shared<HttpConnection>(std::move(socket), &context_);
        connections_.insert(connection);
        connection->Start();
      }
      Accept();
    });
  }

  void Forget(HttpConnection* connection) {
    connections_.erase(connection->shared_from_this());
    if (context_.stopping && connections_.empty()) drain_timer_.cancel();
  }

  void BeginStop() {
    if (context_.stopping) return;
    context_.stopping = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    retry_timer_.cancel();
    const auto open = connections_;
    for (const auto& connection : open) connection->CloseIfIdle();
    if (connections_.empty()) return;
    drain_timer_.expires_after(options_.drain_timeout);
    drain_timer_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      const auto late = connections_;
      for (const auto& connection : late) connection->Close();
    });
  }

  const HttpServerOptions options_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer drain_timer_, retry_timer_;
  asio::thread_pool workers_;
  HttpConnection::Context context_;
  std::set<std::shared_ptr<HttpConnection>> connections_;
  int port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool done_ = false;
};

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options, Answer answer) {
  auto impl = std::make_unique<Impl>(options, std::move(answer));
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
void HttpServer::Stop() {
  impl_->Stop();
}
void HttpServer::Wait() {
  impl_->Wait();
}

}  // namespace tamis
