#include "src/cli/verb.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace tamis {
namespace {
double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
}  // namespace

Progress::Progress(std::string title) : title_(std::move(title)), terminal_(isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  if (shown_) fmt::print(stderr, "\r\033[K");
}

void Progress::Update(int64_t done, int64_t total, const std::string& what) {
  if (!terminal_ || total <= 0) return;
  const double seconds = clock_.Left(done, total, Now());
  const std::string left = seconds > 0 ? fmt::format(", about {:.0f} s left", seconds) : "";
  fmt::print(stderr, "\r\033[K{} {}/{}{}  {}", title_, done, total, left, what.substr(0, 60));
  std::fflush(stderr);
  shown_ = true;
}

VerbHooks HooksOf(Progress* progress, const CommonFlags& common, std::string_view verb) {
  VerbHooks hooks;
  hooks.progress = [progress](int64_t done, int64_t total, const std::string& what) {
    progress->Update(done, total, what);
  };
  hooks.notice = PrintNotice;
  if (common.verbose) {
    hooks.log = [verb = std::string(verb)](const std::string& step) { fmt::print(stderr, "{}: {}\n", verb, step); };
  }
  return hooks;
}

void PrintNotice(const std::string& text) {
  // Clears a line of progress, which goes on below.
  fmt::print(stderr, "{}tamis: note: {}\n", isatty(STDERR_FILENO) != 0 ? "\r\033[K" : "", text);
}

}  // namespace tamis
