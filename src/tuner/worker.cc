#include "src/tuner/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "src/base/json_writer.h"
#include "src/base/program_path.h"
#include "src/tuner/problem_text.h"

extern char** environ;

namespace tamis {
namespace {

std::string DefaultProgram() {
  if (const char* set = std::getenv("TAMIS_TUNE_WORKER")) return set;
  return ProgramPath("tamis-tune-worker");
}

std::string RequestText(const Problem& problem, const std::vector<std::string>& kernels, int gpu,
                        uint64_t workspace_limit) {
  std::string names;
  for (const std::string& kernel : kernels) names += (names.empty() ? "" : ",") + JsonQuote(kernel);
  return fmt::format("{{\"gpu\":{},\"workspace_limit\":{},", gpu, workspace_limit) + "\"kernels\":[" + names +
         "],\"problem\":" + ProblemToText(problem) + "}\n";
}

bool WriteAll(int fd, const std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t n = write(fd, text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    written += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

TuneWorker::TuneWorker(std::string program) : program_(program.empty() ? DefaultProgram() : std::move(program)) {
  signal(SIGPIPE, SIG_IGN);  // a dead worker is an error code of write, not our end
}

TuneWorker::~TuneWorker() {
  Stop();
}

Status TuneWorker::Start() {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0) return RuntimeError("pipe: {}", std::strerror(errno));
  if (pipe2(out, O_CLOEXEC) != 0) {
    close(in[0]);
    close(in[1]);
    return RuntimeError("pipe: {}", std::strerror(errno));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  char* argv[] = {program_.data(), nullptr};
  const int error = posix_spawn(&pid_, program_.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  to_worker_ = in[1];
  from_worker_ = out[0];
  buffer_.clear();
  if (error != 0) {
    pid_ = -1;
    Stop();
    return RuntimeError("can't start '{}': {}. It is installed beside tamis; TAMIS_TUNE_WORKER names another place",
                        program_, std::strerror(error));
  }
  return {};
}

void TuneWorker::Stop() {
  if (to_worker_ >= 0) close(to_worker_);
  if (from_worker_ >= 0) close(from_worker_);
  to_worker_ = from_worker_ = -1;
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_ = -1;
}

bool TuneWorker::ReadLine(double timeout_seconds, std::string* line, bool* timed_out) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::duration<double>(timeout_seconds);
  *timed_out = false;
  while (true) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      *line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return true;
    }
    const double left = std::chrono::duration<double>(deadline - Clock::now()).count();
    pollfd descriptor = {from_worker_, POLLIN, 0};
    const int ready = left <= 0 ? 0 : poll(&descriptor, 1, static_cast<int>(left * 1000) + 1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      *timed_out = true;
      return false;
    }
    char chunk[4096];
    const ssize_t n = read(from_worker_, chunk, sizeof(chunk));
    if (n <= 0) return false;
    buffer_.append(chunk, static_cast<size_t>(n));
  }
}

Result<std::vector<TimedKernel>> TuneWorker::Time(const Problem& problem, std::vector<std::string> kernels, int gpu,
                                                  uint64_t workspace_limit, double timeout_seconds) {
  std::vector<TimedKernel> struck_out;
  while (!kernels.empty()) {
    if (pid_ < 0) TAMIS_RETURN_IF_ERROR(Start());
    std::vector<TimedKernel> results = struck_out;
    std::string present = kernels.front();
    std::string line;
    bool timed_out = false;
    bool done = false;
    if (WriteAll(to_worker_, RequestText(problem, kernels, gpu, workspace_limit))) {
      while (!done && ReadLine(timeout_seconds, &line, &timed_out)) {
        std::istringstream words(line);
        std::string word;
        words >> word;
        if (word == "begin") {
          words >> present;
        } else if (word == "result") {
          TimedKernel result;
          words >> result.kernel >> result.seconds >> result.spread >> result.samples;
          std::getline(words >> std::ws, result.reason);
          results.push_back(std::move(result));
        } else if (word == "done") {
          done = true;
        }
      }
    }
    if (done) {
      for (const std::string& kernel : kernels) {
        const auto named = [&](const TimedKernel& result) { return result.kernel == kernel; };
        if (std::any_of(results.begin(), results.end(), named)) continue;
        results.push_back({kernel, 0, "the worker did not understand the problem", 0, 0});
      }
      return results;
    }
    Stop();
    struck_out.push_back({present, 0, timed_out ? "hung while it was timed" : "crashed while it was timed", 0, 0});
    std::erase(kernels, present);
  }
  return struck_out;
}

}  // namespace tamis
