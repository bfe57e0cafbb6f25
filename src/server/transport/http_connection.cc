#include "src/server/transport/http_connection.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>

namespace tamis {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {
constexpr std::chrono::seconds kLinger{2};
}  // namespace

void HttpConnection::Start() {
  ErrorCode ignored;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  ReadHeader();
}

void HttpConnection::CloseIfIdle() {
  if (idle_ && buffer_.size() == 0) Close();
}

void HttpConnection::Close() {
  if (closed_) return;
  closed_ = true;
  Release();
  ErrorCode ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_.close();
  context_.closed(this);
}

void HttpConnection::Release() {
  context_.buffered_bytes -= reserved_;
  reserved_ = 0;
}

void HttpConnection::ReadHeader() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(context_.options.max_header_bytes));
  parser_->body_limit(context_.options.max_body_bytes);
  idle_ = true;
  // One deadline for the whole header: a client that sends a byte at a time does not move it.
  stream_.expires_after(context_.options.idle_timeout);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](ErrorCode error, size_t) { self->OnHeader(error); });
}

void HttpConnection::OnHeader(ErrorCode error) {
  idle_ = false;
  if (closed_) return;
  if (error == http::error::body_limit) return Refuse(413, "the body is larger than this server takes");
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return Refuse(431, "the header is larger than this server takes");
  }
  if (error.category() == http::make_error_code(http::error::bad_target).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return Refuse(400, "the request is not valid HTTP/1.1");
  }
  if (error) return Close();
  const auto& request = parser_->get();
  head_ = request.method() == http::verb::head;
  if (const auto length = parser_->content_length(); length && *length > context_.options.max_body_bytes) {
    return Refuse(413, "the body is larger than this server takes");
  }
  const size_t body =
      parser_->chunked() ? context_.options.max_body_bytes : static_cast<size_t>(parser_->content_length().value_or(0));
  if (body > 0 && context_.buffered_bytes + body > context_.options.max_buffered_bytes) {
    return Refuse(503, "the server holds as many request bodies as it may; try again");
  }
  reserved_ = body;
  context_.buffered_bytes += body;
  if (const auto expect = request.find(http::field::expect); expect != request.end()) {
    if (!beast::iequals(expect->value(), "100-continue")) return Refuse(417, "this expectation cannot be met");
    stream_.expires_after(context_.options.write_timeout);
    continue_ = {http::status::continue_, 11};
    http::async_write(stream_, continue_, [self = shared_from_this()](ErrorCode failed, size_t) {
      if (self->closed_) return;
      failed ? self->Close() : self->ReadBody();
    });
    return;
  }
  ReadBody();
}

void HttpConnection::ReadBody() {
  stream_.expires_after(context_.options.body_timeout);
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](ErrorCode error, size_t) { self->OnBody(error); });
}

void HttpConnection::OnBody(ErrorCode error) {
  if (closed_) return;
  if (error == http::error::body_limit) return Refuse(413, "the body is larger than this server takes");
  if (error == beast::error::timeout) return Close();
  if (error && error.category() == http::make_error_code(http::error::bad_target).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return Refuse(400, "the request is not valid HTTP/1.1");
  }
  if (error) return Close();
  Dispatch();
}

void HttpConnection::Dispatch() {
  stream_.expires_never();
  auto message = parser_->release();
  auto request = std::make_shared<HttpRequest>();
  request->method = std::string(message.method_string());
  request->target = std::string(message.target());
  for (const auto& field : message) {
    request->headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  request->body = std::move(message.body());
  const bool keep_alive = message.keep_alive();
  // The guard keeps the input and output thread running until the answer is there.
  auto guard = asio::make_work_guard(stream_.get_executor());
  asio::post(*context_.workers, [self = shared_from_this(), request, keep_alive, guard = std::move(guard)] {
    auto response = std::make_shared<HttpResponse>(self->context_.answer(*request));
    asio::post(self->stream_.get_executor(), [self, response, keep_alive] {
      if (self->closed_) return;
      self->Release();
      self->Write(std::move(*response), keep_alive && !self->context_.stopping);
    });
  });
}

void HttpConnection::Refuse(int status, const char* message) {
  Write(ErrorResponse(status, message), false);
}

void HttpConnection::Write(HttpResponse response, bool keep_alive) {
  response_ = {static_cast<http::status>(response.status), 11};
  for (const auto& [name, value] : response.headers) response_.insert(name, value);
  response_.keep_alive(keep_alive);
  response_.content_length(response.body.size());
  if (!head_) response_.body() = std::move(response.body);
  stream_.expires_after(context_.options.write_timeout);
  http::async_write(stream_, response_, [self = shared_from_this(), keep_alive](ErrorCode error, size_t) {
    self->OnWritten(error, keep_alive);
  });
}

void HttpConnection::OnWritten(ErrorCode error, bool keep_alive) {
  if (closed_) return;
  response_ = {};
  if (!error && linger_) {
    ErrorCode ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kLinger);
    buffer_.clear();
    return Linger();
  }
  if (error || !keep_alive || context_.stopping) return Close();
  ReadHeader();
}

// Closing with input unread would reset the connection, and the client might never see why it was refused.
void HttpConnection::Linger() {
  stream_.async_read_some(buffer_.prepare(64 << 10), [self = shared_from_this()](ErrorCode error, size_t) {
    if (self->closed_) return;
    error ? self->Close() : self->Linger();
  });
}

}  // namespace tamis
