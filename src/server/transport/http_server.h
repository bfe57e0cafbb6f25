// HTTP/1.1 over TCP, by Boost.Beast: reads requests within limits, has a function answer them, writes the responses.
//
// A few threads do the input and output, each for its own connections; a pool of workers runs the function. A
// connection has one request at work at a time; pipelined ones wait in order. Chunked bodies, keep-alive and "Expect:
// 100-continue" are handled here.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "src/server/protocol/http_message.h"
#include "tamis/status.h"

namespace tamis {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 8000;                                  // 0: the system chooses
  int workers = 0;                                  // 0: one for every core, two at least
  int io_threads = 0;                               // 0: one for every four cores, one at least and eight at most
  size_t max_connections = 4096;                    // more are closed at once
  size_t max_header_bytes = 16 << 10;               // 431 beyond it
  size_t max_body_bytes = size_t{64} << 20;         // 413 beyond it
  size_t max_buffered_bytes = size_t{1} << 30;      // of all bodies, as they arrive; 503 beyond it
  std::chrono::milliseconds idle_timeout{60'000};   // waiting for a request, its header included
  std::chrono::milliseconds body_timeout{60'000};   // receiving a body
  std::chrono::milliseconds write_timeout{60'000};  // sending a response
  std::chrono::milliseconds drain_timeout{10'000};  // from Stop until the remaining connections are cut
};

class HttpServer {
 public:
  using Answer = std::function<HttpResponse(const HttpRequest&)>;  // called from several threads; must not throw

  // Listening when it returns. kRuntime if the address cannot be had.
  static Result<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options, const Answer& answer);
  ~HttpServer();  // as Stop and Wait
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  // No new connections, idle ones closed, requests at work finished and answered with "Connection: close". Returns at
  // once; may be called more than once and from any thread, though not from a signal handler.
  void Stop();
  // Returns when a stop is complete: when the last request is computed, also one whose connection was cut.
  void Wait();
  // Connections that a stop has cut, with what they asked for unanswered.
  size_t cut_off() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tamis
