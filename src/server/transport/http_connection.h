// One connection of an HttpServer. Everything but the answer runs on the server's one input and output thread.
#pragma once

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

#include "src/server/transport/http_server.h"

namespace tamis {

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // What the connections of a server share.
  struct Context {
    HttpServerOptions options;
    HttpServer::Answer answer;
    boost::asio::thread_pool* workers = nullptr;
    std::function<void(HttpConnection*)> closed;  // called once, as the connection's last act
    size_t buffered_bytes = 0;                    // of bodies being received or worked on
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
  void OnBody(ErrorCode error);
  void Dispatch();
  // Answers what cannot be read further, and closes.
  void Refuse(int status, const char* message);
  void Write(HttpResponse response, bool keep_alive);
  void OnWritten(ErrorCode error, bool keep_alive);
  void Linger();
  void Release();

  boost::beast::tcp_stream stream_;
  Context& context_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  boost::beast::http::response<boost::beast::http::empty_body> continue_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
  size_t reserved_ = 0;  // of Context::buffered_bytes
  bool head_ = false;    // the request's method is HEAD
  bool idle_ = false;    // waiting for a request
  bool linger_ = false;  // read on for a while before closing
  bool closed_ = false;
};

}  // namespace tamis
