#include "src/runtime/retune.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "src/base/cache_folder.h"
#include "src/base/hash.h"
#include "src/base/program_path.h"

extern char** environ;

namespace tamis {
namespace {

std::string TamisProgram(const std::string& given) {
  if (!given.empty()) return given;
  if (const char* set = std::getenv("TAMIS_PROGRAM")) return set;
  const std::string installed = ProgramPath("tamis");
  return access(installed.c_str(), X_OK) == 0 ? installed : std::string("tamis");
}

struct Child {
  pid_t pid = -1;
  int output = -1;  // its standard error
};

Result<Child> Start(const std::string& program, std::vector<std::string> arguments) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return RuntimeError("pipe: {}", std::strerror(errno));
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A server blocks the signals that would end the child.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  Child child;
  const int error = posix_spawnp(&child.pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return RuntimeError("can't start '{}': {}. TAMIS_PROGRAM names the tamis program", program, std::strerror(error));
  }
  child.output = ends[0];
  return child;
}

// What the child says last, read until it closes its end.
std::string ReadTail(int fd) {
  constexpr size_t kKept = 1000;
  std::string text;
  char chunk[1024];
  while (true) {
    const ssize_t got = read(fd, chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(chunk, static_cast<size_t>(got));
    if (text.size() > kKept) text.erase(0, text.size() - kKept);
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

std::string PlanPath(uint64_t engine_content, const std::string& device, int threads) {
  const std::string folder = CacheFolder();
  if (folder.empty()) return {};
  return fmt::format("{}/plans/{}-{}-{}.tamis", folder, HexString(engine_content), HexString(Hash64(device)), threads);
}

Retuner::Retuner(RetuneRequest request, Done done) : request_(std::move(request)) {
  thread_ = std::thread([this, done = std::move(done)] {
    auto plans = Work();
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    done(std::move(plans));
  });
}

Retuner::~Retuner() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (pid_ > 0) kill(pid_, SIGTERM);
  }
  Wait();
}

void Retuner::Wait() {
  const std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

Result<std::vector<Plan>> Retuner::Work() {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(request_.plan_path).parent_path(), error);
  const std::string program = TamisProgram(request_.program);
  const std::vector<std::string> arguments = {program,
                                              "build",
                                              request_.engine_path,
                                              "--plan-only",
                                              "-o",
                                              request_.plan_path,
                                              "--precision",
                                              request_.precision,
                                              "--threads",
                                              std::to_string(request_.threads)};
  Child child;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return RuntimeError("the session ended");
    TAMIS_ASSIGN_OR_RETURN(child, Start(program, arguments));
    pid_ = child.pid;
  }
  if (request_.background) (void)setpriority(PRIO_PROCESS, static_cast<id_t>(child.pid), 10);
  const std::string said = ReadTail(child.output);
  close(child.output);
  // Wait without reaping first: until pid_ is cleared, the number must stay the child's.
  siginfo_t ended{};
  while (waitid(P_PID, static_cast<id_t>(child.pid), &ended, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  int status = 0;
  {
    const std::lock_guard lock(mutex_);
    pid_ = -1;
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return RuntimeError("the tuner '{}' failed{}{}", program, said.empty() ? "" : ": ", said);
  }
  TAMIS_ASSIGN_OR_RETURN(const EngineFile file, ReadEngine(request_.plan_path, ReadMode::kRead));
  return file.engine->plans;
}

}  // namespace tamis
