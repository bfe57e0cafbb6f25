// A request and a response without a socket.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tamis/status.h"

namespace tamis {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The value of the first header of that name (any case); nullptr if there is none.
const std::string* FindHeader(const HttpHeaders& headers, std::string_view name);

// The bytes of a request, and what keeps them alive.
class HttpBody {
 public:
  HttpBody() = default;
  HttpBody(std::string text)  // NOLINT(google-explicit-constructor): a body is often just text
      : HttpBody(std::make_shared<const std::string>(std::move(text))) {}
  HttpBody(const char* text) : HttpBody(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  HttpBody(std::string_view bytes, std::shared_ptr<const void> owner) : bytes_(bytes), owner_(std::move(owner)) {}

  std::string_view bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  explicit HttpBody(std::shared_ptr<const std::string> text) : bytes_(*text), owner_(std::move(text)) {}

  std::string_view bytes_;
  std::shared_ptr<const void> owner_;
};

struct HttpRequest {
  std::string method;
  std::string target;  // as sent: percent-encoded, with a query if there is one
  HttpHeaders headers;
  HttpBody body;  // without the transfer encoding, with the content encoding
  std::chrono::steady_clock::time_point arrived = std::chrono::steady_clock::now();  // all of it
  std::shared_ptr<const std::atomic<bool>> given_up =
      nullptr;  // set if the client is seen to have closed its side; null: nobody looks

  bool GivenUp() const { return given_up != nullptr && *given_up; }
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;  // without Content-Length and Connection, which the transport sets
  std::string body;
};

// {"error": "..."} of that status.
HttpResponse ErrorResponse(int status, std::string_view message);
HttpResponse JsonResponse(std::string body);
// 405: the path is there, but for other methods.
HttpResponse NotAllowed(const char* allowed);
bool IsGet(const HttpRequest& request);  // or HEAD
int HttpStatus(const Status& status);    // of an error

inline constexpr size_t kMaxControlBytes = 4096;  // of the JSON of a request that is no inference

// The segments of a target's path, percent-decoded; empty ones (a trailing slash) dropped. False if an encoding is
// malformed or hides a control character.
bool SplitTarget(std::string_view target, std::vector<std::string>* segments);

}  // namespace tamis
