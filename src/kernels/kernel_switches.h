// Kernels that the user does without: the environment variable TAMIS_WITHOUT_KERNELS, texts separated by commas. No
// kernel for CPUs is used whose name contains one of them; "strassen", say, gives up its speed for three quarters of
// the weights' memory. It holds for whatever the process does: building, running, serving. Kernels for GPUs stay.
#pragma once

#include <string_view>

#include "tamis/status.h"

namespace tamis {

// Read once.
bool SwitchedOff(std::string_view kernel);
// A user error names the texts that are part of no kernel's name.
Status CheckKernelSwitches();

}  // namespace tamis
