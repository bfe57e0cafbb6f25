// A network to ask for answers: as it is, in f32, on kernels that the cost model chooses.
#pragma once

#include <memory>

#include "src/compiler/plan/build.h"
#include "tamis/session.h"

namespace tamis {

// Nothing is timed. `threads` 0: one for every usable core.
Result<std::shared_ptr<Session>> UntunedSession(const Network& network, int threads);

}  // namespace tamis
