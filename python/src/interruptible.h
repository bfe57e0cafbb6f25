// Long work off the interpreter's lock, with Ctrl-C and progress callbacks.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <functional>
#include <string>

namespace tamis::python {

// What work in progress shares with the Python side.
class Work {
 public:
  // `progress`: a callable of (done, total, what), or None.
  explicit Work(nanobind::object progress) : progress_(std::move(progress)) {}

  bool Cancelled() const { return cancelled_; }
  void Cancel() { cancelled_ = true; }
  // Called by the work, in any thread. An exception of the callable cancels the work and is raised from Run.
  void Report(int done, int total, const std::string& what);
  // Runs `work` in a thread of its own and waits without the lock. A signal that Python turns into an exception
  // (KeyboardInterrupt) cancels the work; the exception is raised when the work has returned. What the work throws is
  // raised here.
  void Run(const std::function<void()>& work);

 private:
  nanobind::object progress_;
  std::atomic<bool> cancelled_ = false;
  std::exception_ptr callback_error_;
};

}  // namespace tamis::python
