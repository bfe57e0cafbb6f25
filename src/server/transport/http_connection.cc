#include "src/server/transport/http_connection.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <cstring>

namespace tamis {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {
constexpr std::chrono::seconds kLinger{2};
constexpr size_t kHeaderRead = 4096;             // most headers in one read
constexpr size_t kMostKept = size_t{1} << 20;    // of memory that a connection holds while it is idle
constexpr size_t kMostAtOnce = size_t{4} << 20;  // of one body, before other connections have their turn
// Bodies of at most this part of what all may take have all of it, larger ones three quarters: a few clients with
// large ones don't keep the many out.
constexpr size_t kSmallPart = 1024;

// The length of the JSON in front of an inference request's tensors; 0 if there is no such header.
template <class Fields>
size_t JsonLength(const Fields& fields) {
  const auto found = fields.find("Inference-Header-Content-Length");
  if (found == fields.end()) return 0;
  const auto text = found->value();
  size_t length = 0;
  std::from_chars(text.data(), text.data() + text.size(), length);  // wrong ones are refused later, with a reason
  return length;
}
}  // namespace

void HttpConnection::Start() {
  ErrorCode ignored;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  stream_.socket().non_blocking(true, ignored);
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

bool HttpConnection::ReserveUpTo(size_t bytes, size_t limit) {
  if (bytes <= reserved_) return true;
  const size_t more = bytes - reserved_;
  if (context_.buffered_bytes->fetch_add(more) + more > limit) {
    *context_.buffered_bytes -= more;
    return false;
  }
  reserved_ = bytes;
  return true;
}

bool HttpConnection::Hold(size_t arrived, size_t whole) {
  const size_t all = context_.options.max_buffered_bytes;
  if (ReserveUpTo(arrived, whole <= all / kSmallPart ? all : all / 4 * 3)) return true;
  Refuse(503, "the server holds as many request bodies as it may; try again");
  return false;
}

void HttpConnection::Release() {
  *context_.buffered_bytes -= reserved_;
  reserved_ = 0;
}

void HttpConnection::ReadHeader() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(context_.options.max_header_bytes));
  parser_->body_limit(context_.options.max_body_bytes);
  buffer_.reserve(kHeaderRead);
  // Kept for the next request, but not by the many at the cost of those that are at work.
  if (memory_ != nullptr &&
      (memory_->capacity() > kMostKept || !ReserveUpTo(memory_->capacity(), context_.options.max_buffered_bytes / 2))) {
    memory_.reset();
  }
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
  if (parser_->chunked()) {
    parser_->eager(true);
    return ParseBody();
  }
  body_bytes_ = static_cast<size_t>(parser_->content_length().value_or(0));
  if (body_bytes_ == 0) return Dispatch();
  const size_t json = std::min(JsonLength(parser_->get()), body_bytes_);
  // Whoever read the last body has ended before its answer came here, but may still hold its memory.
  const bool ours = memory_ != nullptr && memory_.use_count() == 1;
  body_ = ours ? memory_->PlaceFor(body_bytes_, json) : nullptr;
  if (body_ == nullptr) {
    memory_.reset();
    Release();
    try {
      memory_ = std::make_shared<BodyMemory>(body_bytes_);
    } catch (const std::bad_alloc&) {
      return Refuse(503, "the server is out of memory for this request");
    }
    body_ = memory_->PlaceFor(body_bytes_, json);
  }
  received_ = std::min(buffer_.size(), body_bytes_);
  std::memcpy(body_, buffer_.data().data(), received_);
  buffer_.consume(received_);
  ReceiveBody();
}

// Takes what has arrived, and waits for more only where nothing has.
void HttpConnection::ReceiveBody() {
  const auto rest = [this] { return asio::buffer(body_ + received_, body_bytes_ - received_); };
  for (const size_t pause = received_ + kMostAtOnce; received_ < body_bytes_ && received_ < pause;) {
    ErrorCode error;
    received_ += stream_.socket().read_some(rest(), error);
    if (error == asio::error::would_block || error == asio::error::try_again) break;
    if (error && error != asio::error::interrupted) return Close();
  }
  if (!Hold(received_, body_bytes_)) return;
  if (received_ == body_bytes_) return Dispatch();
  stream_.async_read_some(rest(), [self = shared_from_this()](ErrorCode error, size_t bytes) {
    if (self->closed_) return;
    if (error) return self->Close();
    self->received_ += bytes;
    self->ReceiveBody();
  });
}

void HttpConnection::ParseBody() {
  http::async_read_some(stream_, buffer_, *parser_,
                        [self = shared_from_this()](ErrorCode error, size_t) { self->OnBodyPart(error); });
}

void HttpConnection::OnBodyPart(ErrorCode error) {
  if (closed_) return;
  if (error == http::error::body_limit) return Refuse(413, "the body is larger than this server takes");
  if (error == beast::error::timeout) return Close();
  if (error && error.category() == http::make_error_code(http::error::bad_target).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return Refuse(400, "the request is not valid HTTP/1.1");
  }
  if (error) return Close();
  const size_t arrived = parser_->get().body().size();
  if (!Hold(arrived, arrived)) return;
  parser_->is_done() ? Dispatch() : ParseBody();
}

void HttpConnection::Dispatch() {
  stream_.expires_never();
  const bool chunked = parser_->chunked();
  auto message = parser_->release();
  auto request = std::make_shared<HttpRequest>();
  request->method = std::string(message.method_string());
  request->target = std::string(message.target());
  for (const auto& field : message) {
    request->headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  if (chunked) {
    request->body = std::move(message.body());
  } else if (body_bytes_ > 0) {
    request->body = HttpBody(std::string_view(body_, body_bytes_), memory_);
  }
  const auto given_up = std::make_shared<std::atomic<bool>>(false);
  request->given_up = given_up;
  WatchClient(given_up);
  const bool keep_alive = message.keep_alive();
  // The guard keeps the input and output thread running until the answer is there.
  auto guard = asio::make_work_guard(stream_.get_executor());
  asio::post(*context_.workers, [self = shared_from_this(), request, keep_alive, guard = std::move(guard)] {
    auto response = std::make_shared<HttpResponse>(self->context_.answer(*request));
    asio::post(self->stream_.get_executor(), [self, response, keep_alive] {
      if (self->closed_) return;
      ErrorCode ignored;
      self->stream_.socket().cancel(ignored);  // ends WatchClient
      self->Release();
      self->Write(std::move(*response), keep_alive && !self->context_.stopping);
    });
  });
}

void HttpConnection::WatchClient(const std::shared_ptr<std::atomic<bool>>& given_up) {
  stream_.socket().async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this(), given_up](ErrorCode error) {
    if (self->closed_) {
      *given_up = true;
      return;
    }
    if (error) return;
    char next = 0;
    const size_t bytes = self->stream_.socket().receive(asio::buffer(&next, 1), asio::socket_base::message_peek, error);
    if (error == asio::error::would_block || error == asio::error::try_again) return self->WatchClient(given_up);
    if (error || bytes == 0) *given_up = true;  // otherwise the next request comes already
  });
}

void HttpConnection::Refuse(int status, const char* message) {
  parser_.reset();
  memory_.reset();
  Release();
  linger_ = true;
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
