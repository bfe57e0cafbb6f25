#include <fmt/format.h>
#include <signal.h>

#include <thread>

#include "src/cli/session_flags.h"
#include "src/cli/verb.h"
#include "src/server/server.h"

namespace tamis {
namespace {

struct Flags {
  std::string target, host = "127.0.0.1", device = "cpu";
  int http_port = 8000, threads = 0;
  SessionFlags session;
};

Status Run(const Flags& flags, const CommonFlags& common) {
  if (flags.http_port < 0 || flags.http_port > 65535) {
    return UserError("--http-port is {}; it takes 0 (any free port) to 65535", flags.http_port);
  }
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
  TAMIS_RETURN_IF_ERROR(flags.session.Apply(&options.session));
  TAMIS_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Start(options));
  for (const ModelVersion* model : server->models()) {
    const std::string name = model->model + " version " + model->version;
    if (!model->ready()) {
      PrintNotice(name + " is not ready: " + model->reason);
    } else {
      for (const std::string& notice : model->session->notices()) PrintNotice(name + ": " + notice);
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
  app.add_option("--device", flags->device, "What engines run on: cpu, cuda or cuda:N");
  DeclareSessionFlags(app, &flags->session);
  DeclareModeFlag(app, &flags->session);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_serve = {"serve", "Serve engines over the KServe v2 protocol (HTTP)",
                                "tamis serve models/ --http-port 8000", Declare};

}  // namespace tamis
