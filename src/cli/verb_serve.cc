#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "src/base/cpu.h"
#include "src/base/request_problems.h"
#include "src/cli/grpc_endpoint.h"
#include "src/cli/session_flags.h"
#include "src/cli/verb.h"
#include "src/server/server.h"

namespace tamis {
namespace {

struct Flags {
  std::string target, host = "127.0.0.1", device = "cpu", control = "none", shared_memory;
  int http_port = 8000, grpc_port = -1, threads = 0, max_batch = 0, max_connections = 4096, max_body = 64;
  double poll = 15, grace = 0;
  SessionFlags session;
};

// Signals are taken by sigwait on the main thread; blocked before any other thread exists to take them.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Ends the process, as by an error of the machine's, where stopping takes longer than requests have: a network may
// compute for ever. At one more signal, too.
void EndAnyway(const sigset_t& signals, std::chrono::milliseconds most) {
  constexpr int kRuntimeError = 2;
  std::thread([signals, most] {
    const timespec time{most.count() / 1000, most.count() % 1000 * 1'000'000};
    const int number = sigtimedwait(&signals, nullptr, &time);
    fmt::print(stderr, "error: {}; what was still computed is cut off, its clients have no answer\n",
               number > 0 ? "another signal" : "requests took longer than a stop waits for them");
    std::fflush(nullptr);
    _exit(kRuntimeError);
  }).detach();
}

// A connection is a descriptor, and so is a region of shared memory. What else is open takes few.
void AllowDescriptors(int connections, bool shared_memory) {
  const rlim_t others = 256 + (shared_memory ? SharedMemory::kMaxRegions : 0);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, std::max<rlim_t>(limit.rlim_cur, rlim_t(connections) + others));
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < rlim_t(connections)) {
    PrintNotice(fmt::format("this process may open {} files, so that it takes fewer than {} connections at a time",
                            limit.rlim_cur, connections));
  }
}

Result<ServerOptions> Options(const Flags& flags) {
  RequestProblems problems;
  problems.Need(flags.http_port >= 0 && flags.http_port <= 65535,
                "--http-port is {}; it takes 0 (any free port) to 65535", flags.http_port);
  problems.Need(flags.grpc_port >= -1 && flags.grpc_port <= 65535,
                "--grpc-port is {}; it takes 0 (any free port) to 65535, or -1 for no gRPC", flags.grpc_port);
  problems.Need(flags.max_batch >= 0,
                "--max-batch is {}; it takes 1 (each request alone) or more, or 0 for what the engine was measured for",
                flags.max_batch);
  problems.Need(flags.max_connections >= 1, "--max-connections is {}; it takes 1 or more", flags.max_connections);
  problems.Need(flags.max_body >= 1 && flags.max_body <= 2047, "--max-body is {}; it takes 1 to 2047 MiB",
                flags.max_body);
  problems.Need(flags.poll >= 0.01, "--repository-poll-secs is {}; it takes seconds", flags.poll);
  problems.Need(flags.grace >= 0, "--grace is {}; it takes seconds, 0 or more", flags.grace);
  problems.Need(flags.control == "none" || flags.control == "poll" || flags.control == "explicit",
                "--model-control-mode '{}' is unknown; it takes none, poll or explicit", flags.control);
  TAMIS_RETURN_IF_ERROR(problems.status());
  ServerOptions options;
  options.path = flags.target;
  options.http.host = flags.host;
  options.http.port = flags.http_port;
  options.http.max_connections = static_cast<size_t>(flags.max_connections);
  options.http.max_body_bytes = static_cast<size_t>(flags.max_body) << 20;
  options.http.max_buffered_bytes = std::max(options.http.max_buffered_bytes, 2 * options.http.max_body_bytes);
  options.handler.model_control = flags.control == "explicit";
  options.handler.shared_memory = flags.shared_memory;
  if (flags.control == "poll") options.poll = std::chrono::milliseconds(std::llround(flags.poll * 1e3));
  options.notice = PrintNotice;
  options.session.threads = flags.threads;
  options.session.device = flags.device;
  options.batching.max_rows = flags.max_batch;
  // On a GPU some runs copy and start while others compute (kRunsOnGpu); on the CPU a run has all threads or, in
  // throughput mode, one.
  options.batching.concurrent = flags.device != "cpu"        ? BatchingOptions::kRunsOnGpu
                                : flags.session.Throughput() ? Cpu().usable_cores
                                                             : 1;
  TAMIS_RETURN_IF_ERROR(flags.session.Apply(&options.session));
  return options;
}

void PrintModels(const Server& server, bool batches, bool verbose) {
  for (const ModelVersionPtr& model : server.models()) {
    const std::string name = model->model + " version " + model->version;
    if (!model->ready()) {
      PrintNotice(name + " is not ready: " + model->reason);
      continue;
    }
    for (const std::string& notice : model->session->notices()) PrintNotice(name + ": " + notice);
    if (const Status can = CanBatch(*model->session); batches && !can.ok()) {
      PrintNotice(name + ": its requests are computed one by one: " + can.message());
    }
    if (verbose) PrintNotice(name + " is ready");
  }
}

Status Run(const Flags& flags, const CommonFlags& common) {
  TAMIS_ASSIGN_OR_RETURN(const ServerOptions options, Options(flags));
  const sigset_t signals = BlockSignals();
  AllowDescriptors(flags.max_connections, !flags.shared_memory.empty());
  TAMIS_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Start(options));
  PrintModels(*server, flags.max_batch > 1, common.verbose);
  std::unique_ptr<GrpcEndpoint> grpc;
  if (flags.grpc_port >= 0) {
    TAMIS_ASSIGN_OR_RETURN(grpc, StartGrpc(server.get(), options, flags.grpc_port));
    fmt::print("tamis serve: listening on {}:{} for gRPC\n", flags.host, grpc->port());
  }
  fmt::print("tamis serve: listening on http://{}:{}\n", flags.host, server->port());
  std::fflush(stdout);
  int number = 0;
  while (sigwait(&signals, &number) == 0 && number == SIGHUP) server->Refresh();
  if (flags.grace > 0) {
    fmt::print("tamis serve: not ready any more, serving for another {} s\n", flags.grace);
    std::fflush(stdout);
    server->Drain();
    const int64_t ms = std::llround(flags.grace * 1e3);
    const timespec grace{ms / 1000, ms % 1000 * 1'000'000};
    sigtimedwait(&signals, nullptr, &grace);  // a second signal ends it
  }
  fmt::print("tamis serve: stopping, requests in flight are finished first\n");
  std::fflush(stdout);
  EndAnyway(signals, options.http.drain_timeout + std::chrono::seconds(2));
  server->Stop();
  if (grpc != nullptr) grpc->Stop();
  server->Wait();
  if (const size_t cut_off = server->cut_off(); cut_off > 0) {
    return RuntimeError("{} connections were cut off when the server stopped, their requests have no answer", cut_off);
  }
  fmt::print("tamis serve: stopped\n");
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("REPOSITORY", flags->target, "Folder of <model>/<version>/model.tamis, or one engine file")
      ->required();
  app.add_option("--host", flags->host, "Address or name of one to listen on; 0.0.0.0: all of this machine's");
  app.add_option("--http-port", flags->http_port, "Port of the KServe v2 HTTP endpoint; 0: any free one");
  app.add_option("--grpc-port", flags->grpc_port, "Port of the KServe v2 gRPC endpoint; 0: any free one; -1: none");
  app.add_option("--threads", flags->threads, "Threads of computation; 0: one for every core");
  app.add_option("--max-batch", flags->max_batch,
                 "Requests of equal shapes that arrive while others are computed run together, so many rows at most;\n"
                 "1: each alone; 0: on a GPU as many as the engine was measured for, 16 at most, else 1");
  app.add_option("--max-connections", flags->max_connections, "Connections at a time; more are closed at once");
  app.add_option("--max-body", flags->max_body, "MiB of a request's body, decompressed; larger ones are refused");
  app.add_option(
      "--model-control-mode", flags->control,
      "none: models stay as loaded until SIGHUP, at which the folder is looked at again; poll: it is looked\n"
      "at by itself; explicit: clients load and unload models (POST /v2/repository/models/M/load)");
  app.add_option("--repository-poll-secs", flags->poll, "Of poll: seconds between looks");
  app.add_option("--shared-memory", flags->shared_memory,
                 "Clients on this machine may register POSIX shared memory whose key begins with this, for tensors;\n"
                 "/: any key. Without it none");
  app.add_option("--grace", flags->grace,
                 "Seconds after SIGTERM in which requests are still taken though the server says it is not ready");
  app.add_option("--device", flags->device, "What engines run on: cpu, cuda or cuda:N");
  DeclareSessionFlags(app, &flags->session);
  DeclareModeFlag(app, &flags->session);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_serve = {"serve", "Serve engines over the KServe v2 protocol (HTTP, gRPC)",
                                "tamis serve models/ --http-port 8000", Declare};

}  // namespace tamis
