// The shared memory extensions of the KServe v2 protocol over HTTP.
//
// GET  /v2/systemsharedmemory[/region/R]/status
// POST /v2/systemsharedmemory/region/R/register, /v2/systemsharedmemory[/region/R]/unregister
//
// Memory of GPUs (/v2/cudasharedmemory) has no regions: clients that begin by unregistering theirs may, and registering
// one is refused.
#pragma once

#include <string>
#include <vector>

#include "src/server/protocol/http_message.h"
#include "src/server/shared_memory.h"

namespace tamis {

bool IsSharedMemoryPath(const std::vector<std::string>& path);
// `memory`: nullptr if it is not offered.
HttpResponse RouteSharedMemory(const HttpRequest& request, const std::vector<std::string>& path, SharedMemory* memory);

}  // namespace tamis
