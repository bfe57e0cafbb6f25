#include "src/compiler/plan/untuned_session.h"

namespace tamis {

Result<std::shared_ptr<Session>> UntunedSession(const Network& network, int threads) {
  BuildOptions options;
  options.threads = threads;
  options.tune = false;
  TAMIS_ASSIGN_OR_RETURN(const BuildResult built, BuildEngine(network, options));
  SessionOptions session;
  session.threads = threads;
  return Session::Create(built.engine, session);
}

}  // namespace tamis
