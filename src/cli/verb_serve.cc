#include <fmt/format.h>
#include <signal.h>

#include <thread>

#include "src/base/cpu.h"
#include "src/cli/session_flags.h"
#include "src/cli/verb.h"
#include "src/server/server.h"

namespace tamis {
namespace {

struct Flags {
  std::string target, host = "127.0.0.1", device = "cpu";
  int http_port = 8000, threads = 0, max_batch = 1;
  SessionFlags session;
};

Status Run(const Flags& flags, const CommonFlags& common) {
  if (flags.http_port < 0 || flags.http_port > 65535) {
    return UserError("--http-port is {}; it takes 0 (any free port) to 65535", flags.http_port);
  }
  if (flags.max_batch < 1)
    return UserError("--max-batch is {}; it takes 1 (each request alone) or more", flags.max_batch);
  // Signals are taken by a thread of our own with sigwait, before any other thread exists to take them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  ServerOptions options;
  options.path = flags.target;
  options.http.host = flags.host;
  options.http.port = flags.http_port;
  options.session.threads = flags.threads;
  options.session.device = flags.device;
  options.batching.max_rows = flags.max_batch;
  // On a GPU one run copies while another computes; on the CPU a run has all threads or, in throughput mode, one.
  options.batching.concurrent = flags.device != "cpu" ? 2 : flags.session.Throughput() ? Cpu().usable_cores : 1;
  TAMIS_RETURN_IF_ERROR(flags.session.Apply(&options.session));
  TAMIS_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Start(options));
  for (const ModelVersion* model : server->models()) {
    const std::string name = model->model + " version " + model->version;
    if (!model->ready()) {
      PrintNotice(name + " is not ready: " + model->reason);
    } else {
      for (const std::string& notice : model->session->notices()) PrintNotice(name + ": " + notice);
      if (const Status batches = CanBatch(*model->session); flags.max_batch > 1 && !batches.ok()) {
        PrintNotice(name + ": its requests are computed one by one: " + batches.message());
      }
      if (common.verbose) PrintNotice(name + " is ready");
    }
  }
  fmt::print("tamis serve: listening on http://{}:{}\n", flags.host, server->port());
  std::fflush(stdout);
  int number = 0;
  sigwait(&signals, &number);
  fmt::print("tamis serve: stopping, requests in flight are finished first\n");
  std::fflush(stdout);
  server->Stop();
  server->Wait();
  fmt::print("tamis serve: stopped\n");
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("REPOSITORY", flags->target, "Folder of <model>/<version>/model.tamis, or one engine file")
      ->required();
  app.add_option("--host", flags->host, "Address to listen on");
  app.add_option("--http-port", flags->http_port, "Port of the KServe v2 HTTP endpoint; 0: any free one");
  app.add_option("--threads", flags->threads, "Threads of computation; 0: one for every core");
  app.add_option("--max-batch", flags->max_batch,
                 "Requests of equal shapes that arrive while others are computed run together, so many rows at most");
  app.add_option("--device", flags->device, "What engines run on: cpu, cuda or cuda:N");
  DeclareSessionFlags(app, &flags->session);
  DeclareModeFlag(app, &flags->session);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_serve = {"serve", "Serve engines over the KServe v2 protocol (HTTP)",
                                "tamis serve models/ --http-port 8000", Declare};

}  // namespace tamis
