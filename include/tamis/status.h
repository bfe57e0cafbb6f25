// Status and Result<T>: how every boundary of Tamis reports failure.
//
// Three kinds of error, and the reader of the message differs:
//   kUser      a bad file, flag, shape or operator. The message says what, where, and what would work.
//   kRuntime   the machine's: no memory, no GPU, port taken, disk full.
//   kInternal  ours. A bug; the message is for the developers.
#pragma once

#include <fmt/core.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace tamis {

enum class ErrorKind { kUser, kRuntime, kInternal };

// Cheap to pass: an OK status is one null pointer.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(ErrorKind kind, std::string message) : rep_(std::make_shared<const Rep>(Rep{kind, std::move(message)})) {}

  bool ok() const { return rep_ == nullptr; }
  ErrorKind kind() const { return rep_->kind; }
  const std::string& message() const {
    static const std::string kOkMessage = "ok";
    return rep_ ? rep_->message : kOkMessage;
  }
  // The same error with "context: " put in front; an OK status stays OK.
  Status WithContext(const std::string& context) const {
    return ok() ? *this : Status(rep_->kind, context + ": " + rep_->message);
  }

 private:
  struct Rep {
    ErrorKind kind;
    std::string message;
  };
  std::shared_ptr<const Rep> rep_;
};

template <class... A>
Status UserError(fmt::format_string<A...> format, A&&... args) {
  return Status(ErrorKind::kUser, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
Status RuntimeError(fmt::format_string<A...> format, A&&... args) {
  return Status(ErrorKind::kRuntime, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
Status InternalError(fmt::format_string<A...> format, A&&... args) {
  return Status(ErrorKind::kInternal, fmt::format(format, std::forward<A>(args)...));
}

[[noreturn]] void AssertionFailed(const char* condition, const char* file, int line);

// A broken assertion is always our bug, never the user's.
#define TAMIS_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::tamis::AssertionFailed(#condition, __FILE__, __LINE__))

// A value or the reason there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                                        // NOLINT: implicit by design
  Result(Status status) : status_(std::move(status)) { TAMIS_ASSERT(!status_.ok()); }  // NOLINT: implicit by design

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & {
    TAMIS_ASSERT(ok());
    return *value_;
  }
  const T& value() const& {
    TAMIS_ASSERT(ok());
    return *value_;
  }
  T&& value() && {
    TAMIS_ASSERT(ok());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

#define TAMIS_CONCAT_INNER(a, b) a##b
#define TAMIS_CONCAT(a, b) TAMIS_CONCAT_INNER(a, b)

#define TAMIS_RETURN_IF_ERROR(expr)              \
  do {                                           \
    ::tamis::Status tamis_status = (expr);       \
    if (!tamis_status.ok()) return tamis_status; \
  } while (false)

#define TAMIS_ASSIGN_OR_RETURN(lhs, expr) TAMIS_ASSIGN_OR_RETURN_IMPL(TAMIS_CONCAT(tamis_result_, __LINE__), lhs, expr)
#define TAMIS_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                \
  if (!tmp.ok()) return tmp.status();               \
  lhs = std::move(tmp).value()

}  // namespace tamis
