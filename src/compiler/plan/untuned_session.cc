#include "src/compiler/plan/untuned_session.h"

#include "src/ir/constant_store.h"

namespace tamis {

Result<std::shared_ptr<Session>> UntunedSession(const Network& network, int threads) {
  BuildOptions options;
  options.threads = threads;
  options.tune = false;
  TAMIS_ASSIGN_OR_RETURN(const BuildResult built, BuildEngine(network, options));
  // The session packs what it multiplies by, and these are in memory already or on disk.
  ConstantStore().Keep(built.engine->fused);
  ConstantStore::Rest(network.graph);
  SessionOptions session;
  session.threads = threads;
  return Session::Create(built.engine, session);
}

}  // namespace tamis
