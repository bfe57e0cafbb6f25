// One connection of an HttpServer. Everything but the answer runs on one of the server's input and output threads.
//
// A body of known length is received right where its tensors will lie: what is behind the JSON of an inference request
// begins on a multiple of 64, so that nothing is copied again. Others (chunked ones) go through the parser.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>

#include "src/server/transport/body_memory.h"
#include "src/server/transport/http_server.h"

namespace tamis {

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // What the connections of a thread share.
  struct Context {
    HttpServerOptions options;
    HttpServer::Answer answer;
    boost::asio::thread_pool* workers = nullptr;
    std::function<void(HttpConnection*)> closed;  // called once, as the connection's last act
    // Of all threads' bodies, as far as they have arrived, until they are answered; and the memory kept for next ones.
    std::atomic<size_t>* buffered_bytes = nullptr;
    bool stopping = false;
  };

  HttpConnection(boost::asio::ip::tcp::socket socket, Context* context)
      : stream_(std::move(socket)), context_(*context) {}

  void Start();
  // Closes if no request has begun to arrive.
  void CloseIfIdle();
  void Close();

 private:
  using ErrorCode = boost::system::error_code;
  void ReadHeader();
  void OnHeader(ErrorCode error);
  void ReadBody();
  void ParseBody();
  void OnBodyPart(ErrorCode error);
  void ReceiveBody();
  void Dispatch();
  // Sets `given_up` when the client closes its side, or is cut off, before the answer is written. One that has sent
  // more by then is not watched: its side can't be seen behind that.
  void WatchClient(const std::shared_ptr<std::atomic<bool>>& given_up);
  // Answers what cannot be read further, and closes.
  void Refuse(int status, const char* message);
  void Write(HttpResponse response, bool keep_alive);
  void OnWritten(ErrorCode error, bool keep_alive);
  void Linger();
  // Has `bytes` of Context::buffered_bytes, unless all connections then had more than `limit`.
  bool ReserveUpTo(size_t bytes, size_t limit);
  // Answers 503 if a body of `whole` bytes of which so many have arrived can't be held.
  bool Hold(size_t arrived, size_t whole);
  void Release();

  boost::beast::tcp_stream stream_;
  Context& context_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  boost::beast::http::response<boost::beast::http::empty_body> continue_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
  size_t reserved_ = 0;  // of Context::buffered_bytes
  // Of a body of known length. The memory is used again by the next request unless something still reads it.
  std::shared_ptr<BodyMemory> memory_;
  char* body_ = nullptr;
  size_t body_bytes_ = 0, received_ = 0;
  bool head_ = false;    // the request's method is HEAD
  bool idle_ = false;    // waiting for a request
  bool linger_ = false;  // read on for a while before closing
  bool closed_ = false;
};

}  // namespace tamis
